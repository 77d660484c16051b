/** Arguments of a command; those that are not known before it runs are undefined. */
export type Args = readonly (string | undefined)[];

/** The options that a command has before the one that it runs. */
export interface Options {
  /** Options with an argument, as letters; the argument may follow at once. */
  readonly taking?: string;
  /** Options without one. */
  readonly flags?: string;
  /** Long options without an argument, or with one after `=` alone. */
  readonly long?: readonly string[];
  /** Long options with an argument: after `=`, or the next word. */
  readonly longTaking?: readonly string[];
}

/**
 * Where the options end; undefined when one of them is not known, or what one takes is not: `-u $X`
 * may be several words.
 */
export function afterOptions(
  args: Args,
  { taking = '', flags = '', long = [], longTaking = [] }: Options,
): number | undefined {
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at];
    if (arg === undefined) return undefined;
    if (arg === '--') return at + 1;
    if (!arg.startsWith('-') || arg === '-') break;
    if (arg.startsWith('--')) {
      const [option = '', value] = arg.slice(2).split('=');
      if (longTaking.includes(option)) {
        if (value === undefined && args[++at] === undefined) return undefined;
      } else if (!long.includes(option)) return undefined;
      continue;
    }
    const letters = [...arg.slice(1)];
    const takes = letters.findIndex((letter) => taking.includes(letter));
    const known = (takes < 0 ? letters : letters.slice(0, takes)).every((letter) =>
      flags.includes(letter),
    );
    if (!known) return undefined;
    // Its argument is the next word.
    if (takes === letters.length - 1 && args[++at] === undefined) return undefined;
  }
  return at;
}
