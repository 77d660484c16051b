import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../failure.ts';
import { drawReport } from './picture.ts';
import type { Report } from './report.ts';
import type { Search } from './search.ts';

/** Where a run is kept whose user names no file. */
export function usualPath(project: string, now = new Date()): string {
  const time = now.toISOString().slice(0, 19).replaceAll(':', '-');
  return join(project, '.errand', 'load', `${time}.json`);
}

/** Before the load rather than after it: what cannot be kept need not be measured. @throws Failure */
export function prepare(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw new Failure(
      `${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`,
      'Name another file: --out run.json',
    );
  }
}

/** The report as JSON, and as a picture beside it. Returns the paths. */
export function save(report: Report, path: string, search?: Omit<Search, 'report'>): string[] {
  const picture = path.replace(/\.json$/, '.svg');
  writeFileSync(path, `${JSON.stringify({ ...report, ...(search && { search }) }, null, 1)}\n`);
  writeFileSync(picture, drawReport(report));
  return [path, picture];
}
