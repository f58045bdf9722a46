// JSON from strangers. What is nested without measure would overflow the stack of whoever walks it.

const deepest = 128;

/** Throws a SyntaxError for what is no JSON, and for what is nested deeper than anything that is meant. */
export function parseShallowJson(text: string): unknown {
  if (isDeep(text)) throw new SyntaxError(`The JSON is nested deeper than ${deepest} levels`);
  return JSON.parse(text);
}

/** Brackets inside strings do not count; a text that is no JSON may be judged either way. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > deepest) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      default:
    }
  }
  return false;
}

/** Where the string that begins at `start` ends; the end of the text when it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}
