import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A place in a bundle, as V8 writes it: `file:///var/task/functions/get-task.mjs:9:1234`. */
const BUNDLED = /(file:\/\/[^\s()]+\.mjs):(\d+):(\d+)/;

/**
 * Makes stack traces name the files and lines that we wrote, by the source maps beside the bundles.
 * Node's own --enable-source-maps reads a map at each start, which costs create-task 24 ms of processor
 * time besides its 85; this reads it when a stack is looked at for the first time.
 */
export function nameSourcesInStackTraces(): void {
  const maps = new Map<string, SourceMap | undefined>();
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map((frame) => `    at ${frame}`.replace(BUNDLED, placeOf));
    return [titleOf(error), ...lines].join('\n');
  };

  function placeOf(place: string, bundle: string, line: string, column: string): string {
    if (!maps.has(bundle)) maps.set(bundle, readMap(bundle));
    const origin = maps.get(bundle)?.findOrigin(Number(line), Number(column));
    if (!origin || !('fileName' in origin)) return place; // of a package, or of nothing
    const { fileName, lineNumber, columnNumber } = origin;
    return `${fileName.replace(/^(\.\.\/)+/, '')}:${lineNumber}:${columnNumber}`;
  }
}

function readMap(bundle: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(bundle)}.map`, 'utf8')));
  } catch {
    return undefined; // A stack in terms of the bundle is better than none.
  }
}

/** As V8 begins a stack; anything can be thrown to look like an error. */
function titleOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'Error';
  }
}
