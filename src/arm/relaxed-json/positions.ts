// Where each value of a parsed text stands. A container knows its own place and those of its
// members, so a template error can name the line long after the text is gone.

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface SourcePositions {
  /** Of the opening brace or bracket; undefined for a container that no text brought. */
  of(container: object): Position | undefined;
  /** Of the value that stands under `name` (or index). */
  ofMember(container: object, name: string | number): Position | undefined;
}

export const noPositions: SourcePositions = { of: () => undefined, ofMember: () => undefined };

interface Place {
  readonly offset: number;
  readonly members: Map<string | number, number>;
}

export interface PositionRecorder extends SourcePositions {
  open(container: object, offset: number): void;
  member(container: object, name: string | number, offset: number): void;
  at(offset: number): Position;
}

export function recordPositions(text: string): PositionRecorder {
  const places = new WeakMap<object, Place>();
  let lineStarts: number[] | undefined;
  const at = (offset: number): Position => {
    lineStarts ??= findLineStarts(text);
    let low = 0;
    let high = lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 };
  };
  return {
    at,
    open: (container, offset) => {
      places.set(container, { offset, members: new Map() });
    },
    member: (container, name, offset) => {
      places.get(container)?.members.set(name, offset);
    },
    of: (container) => {
      const place = places.get(container);
      return place === undefined ? undefined : at(place.offset);
    },
    ofMember: (container, name) => {
      const offset = places.get(container)?.members.get(name);
      return offset === undefined ? undefined : at(offset);
    },
  };
}

/** A line ends with CRLF, LF or a lone CR, as editors count. */
function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 10 || (code === 13 && text.charCodeAt(index + 1) !== 10)) starts.push(index + 1);
  }
  return starts;
}
