/**
 * `npm run load -- --rate 100 --seconds 60 --mix default`: sends a running errand requests at a rate,
 * and tells how it fared. docs/load.md tells how to read it. Exit code 0: no more failed than may.
 */
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';
import { formatProgress, formatReport } from './load/format.ts';
import { findLocalServer } from './load/memory.ts';
import { openProgressLine } from './load/progress-line.ts';
import { readOptions } from './load/read-options.ts';
import { failedPercent, type Report } from './load/report.ts';
import { runLoad, type Watchers } from './load/run-load.ts';
import { prepare, save, usualPath } from './load/save.ts';
import { formatSearch, formatStep, type Search, searchMax } from './load/search.ts';
import { USAGE } from './load/usage.ts';

const PROJECT = fileURLToPath(new URL('../', import.meta.url));
const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  console.log(USAGE);
  process.exit(0);
}

const stop = new AbortController();
// The second one ends the process at once, as nobody listens any more.
process.once('SIGINT', () => stop.abort());
const line = openProgressLine(process.stderr);

try {
  const { plan, findMax, maxErrorsPercent, out } = readOptions(args, process.env);
  const path = out ?? usualPath(PROJECT);
  prepare(path);
  const watchers: Watchers = {
    signal: stop.signal,
    sampleMemory: findLocalServer(PROJECT, plan.url),
    onProgress: (progress) => line.show(formatProgress(progress), progress.seconds),
  };
  if (findMax) {
    const { p99Ms, firstRate } = findMax;
    const onStep = (step: Search['steps'][number]) => tell(formatStep(step));
    const bounds = { p99Ms, maxErrorsPercent };
    const { report, ...search } = await searchMax({ plan, firstRate, bounds, onStep }, watchers);
    show(report, save(report, path, search));
    console.log(`\n${formatSearch({ report, ...search })}`);
    if (search.highest === undefined) process.exitCode = 1;
  } else {
    const report = await runLoad(plan, watchers);
    show(report, save(report, path));
    if (failedPercent(report) > maxErrorsPercent || report.tasksUnread) process.exitCode = 1;
  }
} catch (error) {
  line.clear();
  console.error(`load: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof Failure) console.error(error.remedy);
  process.exitCode = error instanceof Failure ? error.exitCode : 1;
}

function show(report: Report, paths: readonly string[]): void {
  tell(`${formatReport(report)}\nsaved      ${paths.join('\n           ')}`);
}

function tell(text: string): void {
  line.clear();
  console.log(text);
}
