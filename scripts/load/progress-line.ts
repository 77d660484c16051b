/** At most so often where lines stay. */
const PLAIN_EVERY_SECONDS = 10;

export interface ProgressLine {
  show(text: string, seconds: number): void;
  /** Makes room for other lines. */
  clear(): void;
}

/** One line that changes on a terminal; now and then a line elsewhere. */
export function openProgressLine(output: NodeJS.WriteStream): ProgressLine {
  if (!output.isTTY) {
    let nextAt = 0;
    return {
      show(text, seconds) {
        // The seconds begin anew with each step of a search.
        if (seconds >= nextAt || seconds < nextAt - PLAIN_EVERY_SECONDS) {
          output.write(`${text}\n`);
          nextAt = seconds + PLAIN_EVERY_SECONDS;
        }
      },
      clear() {},
    };
  }
  return {
    // Cut off where the terminal ends: the rest would stay behind on lines of its own.
    show: (text) => void output.write(`\r\x1b[K${text.slice(0, (output.columns || 80) - 1)}`),
    clear: () => void output.write('\r\x1b[K'),
  };
}
