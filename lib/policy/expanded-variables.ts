/** Variables whose value a shell itself expands, and so runs what it substitutes: as `set -x` does. */
const EXPANDED = new Set(['PS1', 'PS2', 'PS4', 'ENV', 'BASH_ENV', 'PROMPT_COMMAND']);

export function isExpandedByShell(variable: string): boolean {
  return EXPANDED.has(variable);
}

/** Whether a word is `name=value` for such a variable, or its name alone (`export ENV`). */
export function setsExpandedByShell(word: string): boolean {
  return isExpandedByShell(word.split('=', 1)[0] ?? '');
}
