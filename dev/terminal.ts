/** Writes for people: aligned, coloured on a terminal, plain in a pipe or with NO_COLOR. */
export interface Terminal {
  heading(text: string): void;
  /** One part of the stack, in columns: `  postgres    ready    0.3 s   where it is`. */
  part(name: string, state: PartState, tookMs: number | undefined, detail: string): void;
  /** Text below its heading, such as commands to copy. */
  block(heading: string, text: string): void;
  line(text: string): void;
  /** To stderr: what went wrong, and what to do about it. */
  problem(message: string, remedy?: string): void;
  readonly paint: Paint;
  /** Takes log lines as they are; undefined where people read, who get them in columns. */
  readonly entry?: (line: string) => void;
}

export type PartState = 'created' | 'ready' | 'waits' | 'restarts' | 'missing' | 'failed';
export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Paint = (colour: Colour, text: string) => string;

const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

const STATE_COLOURS: Readonly<Record<PartState, Colour>> = {
  created: 'green',
  ready: 'green',
  waits: 'yellow',
  restarts: 'yellow',
  missing: 'yellow',
  failed: 'red',
};

/** `NO_COLOR` is honoured as https://no-color.org asks: any value but the empty one counts. */
export function openTerminal(
  output: NodeJS.WriteStream = process.stdout,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Terminal {
  const coloured = output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  const paint: Paint = (colour, text) => {
    const [on, off] = CODES[colour];
    return coloured ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  };
  const line = (text: string) => void output.write(`${text}\n`);

  return {
    paint,
    line,
    heading: (text) => line(`\n${paint('bold', text)}\n`),
    part(name, state, tookMs, detail) {
      const time = tookMs === undefined ? '' : `${(tookMs / 1000).toFixed(1)} s`;
      const columns = [
        name.padEnd(12),
        paint(STATE_COLOURS[state], state.padEnd(8)),
        paint('dim', time.padStart(6)),
      ];
      line(`  ${columns.join(' ')}   ${detail}`.trimEnd());
    },
    block(heading, text) {
      line(`\n  ${paint('bold', heading)}`);
      for (const each of text.split('\n')) line(`    ${each}`);
    },
    problem(message, remedy) {
      process.stderr.write(
        `\n${paint('red', message)}\n${remedy === undefined ? '' : `${remedy}\n`}`,
      );
    },
  };
}
