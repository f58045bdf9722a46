/** The text as a regular expression that finds just it, for RE2 and for JavaScript. */
export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
