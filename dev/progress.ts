import { formatLogLine, kindOfTrouble } from './log-line.ts';
import { collapseRepeats } from './repeated-lines.ts';
import type { Settings } from './settings.ts';
import type { PartEvent } from './supervisor.ts';
import type { PartState, Terminal } from './terminal.ts';

/** Tells on the terminal what the parts of the stack go through. */
export interface Progress {
  part(name: string, event: PartEvent): void;
  /** Runs a step and tells how long it took; its answer is the detail. */
  step(name: string, state: PartState, run: () => Promise<string>): Promise<void>;
  done(name: string, detail: string): void;
  waiting(name: string, why: string): void;
  missing(name: string, advice: string): void;
  note(message: string): void;
  /** All parts are ready: where, what to try, and what stays when they are stopped. */
  ready(url: string, settings: Settings): void;
  /** From here on, parts end because they are asked to, and only their own output is shown. */
  stopping(): void;
}

export function openProgress(terminal: Terminal): Progress {
  const startedAt = performance.now();
  // During an outage every request and every schedule says the same.
  const troubles = collapseRepeats(terminal.line);
  let stopping = false;

  // What is no log line of ours is chatter (a table of routes, a second copy of an error with its
  // stack); it is kept, and shown when the part that wrote it crashes.
  function showLine(line: string) {
    const text = formatLogLine(line, terminal.paint);
    if (text === undefined) return;
    if (terminal.entry) return terminal.entry(line);
    const kind = kindOfTrouble(line);
    if (kind === undefined) terminal.line(`  ${text}`);
    else troubles.show(kind, `  ${text}`);
  }

  return {
    part(name, event) {
      if (event.kind === 'line') showLine(event.line);
      else if (!stopping) tell(terminal, name, event);
    },
    async step(name, state, run) {
      const before = performance.now();
      const detail = await run();
      if (!stopping) terminal.part(name, state, performance.now() - before, detail);
    },
    ready(url, settings) {
      if (!stopping) tellReady(terminal, { url, settings, tookMs: performance.now() - startedAt });
    },
    done: (name, detail) => terminal.part(name, 'ready', performance.now() - startedAt, detail),
    waiting: (name, why) => terminal.part(name, 'waits', undefined, why),
    missing: (name, advice) => terminal.part(name, 'missing', undefined, advice),
    note: (message) => terminal.line(`  ${message}`),
    stopping() {
      stopping = true;
      troubles.flush();
    },
  };
}

function tell(terminal: Terminal, name: string, event: Exclude<PartEvent, { kind: 'line' }>): void {
  switch (event.kind) {
    case 'ready':
      terminal.part(name, 'ready', event.tookMs, event.detail);
      break;
    case 'crashed':
      terminal.part(
        name,
        'restarts',
        undefined,
        `${event.how}; starting it again in ${event.restartInMs / 1000} s`,
      );
      showLastLines(terminal, event.lastLines);
      break;
    case 'gave up':
      terminal.part(name, 'failed', undefined, event.how);
      showLastLines(terminal, event.lastLines);
  }
}

function showLastLines(terminal: Terminal, lines: readonly string[]): void {
  const shown = lines
    .filter((line) => line.trim() !== '')
    .map((line) => formatLogLine(line, terminal.paint) ?? line);
  if (shown.length === 0) return;
  terminal.block('Its last lines', shown.join('\n'));
}

interface Ready {
  readonly url: string;
  readonly settings: Settings;
  readonly tookMs: number;
}

function tellReady(terminal: Terminal, { url, settings, tookMs }: Ready): void {
  const { auth, databaseUrl } = settings;
  terminal.heading(`  errand is ready at ${url} after ${(tookMs / 1000).toFixed(1)} s`);
  if (auth === 'keys') {
    terminal.block(
      'Make an API key, and keep it in KEY',
      'npm run keys -- create --name me\nKEY=errand_...',
    );
  }
  const key = auth === 'keys' ? ` --header "Authorization: Bearer $KEY"` : '';
  terminal.block(
    'Run a command',
    `curl ${url}/api/tasks${key} --header 'Content-Type: application/json' \\\n  --data '{"command": "echo hello"}'`,
  );
  terminal.block(
    'See its result, and the latest tasks',
    `curl ${url}/api/tasks/ID${key}\ncurl ${url}/api/tasks${key}`,
  );
  terminal.block('Read about all that it does, and try it', `${url}/docs in a browser`);
  const whatStays =
    databaseUrl === undefined
      ? 'The data stays in .errand; remove that to begin anew.'
      : 'The tasks stay in your database.';
  terminal.block('Stop', `Ctrl-C. ${whatStays}`);
  terminal.line('');
}
