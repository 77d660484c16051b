import { readFile, writeFile } from 'node:fs/promises';
import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec';
import type { Plugin } from 'esbuild';

interface SourceMap {
  readonly sources: readonly string[];
  readonly names: readonly string[];
  readonly mappings: string;
}

/**
 * Keeps of a source map what leads to our own code: whole, the maps are two thirds of a zip, and
 * few errors are explained by a line of a package.
 */
const mapOwnCodeOnly: Plugin = {
  name: 'map-own-code-only',
  setup({ initialOptions, onEnd }) {
    initialOptions.metafile = true;
    onEnd(async ({ metafile }) => {
      const maps = Object.keys(metafile?.outputs ?? {}).filter((path) => path.endsWith('.map'));
      for (const path of maps) {
        const map = JSON.parse(await readFile(path, 'utf8')) as SourceMap;
        await writeFile(path, JSON.stringify(ownPartOf(map)));
      }
    });
  },
};

function ownPartOf(map: SourceMap): SourceMap {
  const own = map.sources.flatMap((path, index) => (path.includes('node_modules') ? [] : [index]));
  const lines = decode(map.mappings).map((line) => {
    let unmapped = true;
    return line.flatMap((segment): SourceMapSegment[] => {
      const source = segment.length === 1 ? -1 : own.indexOf(segment[1]);
      const goesOn = unmapped && source < 0;
      unmapped = source < 0;
      if (goesOn) return [];
      // A segment without a source ends what the one before it maps.
      if (segment.length === 1 || source < 0) return [[segment[0]]];
      return [[segment[0], source, segment[2], segment[3]]];
    });
  });
  const sources = own.map((index) => map.sources[index] ?? '');
  return { ...map, sources, names: [], mappings: encode(lines) };
}

/** For who sets it by hand at a function that is deployed. */
const NO_POLICY = `export function openPolicy() {
  throw new Error('COMMAND_POLICY was not set when this was packaged. Set it and deploy again.');
}`;

/**
 * Leaves out what is never loaded here: pino's threads for other targets than stdout, the queue that
 * calls no function, metrics that somebody asks for, traces without a collector, and the AWS SDK's event
 * streams but in the function that reads one.
 */
const leaveOutUnused: Plugin = {
  name: 'leave-out-unused',
  setup({ initialOptions, onResolve, onLoad }) {
    const leftOut = ({ path }: { path: string }) => ({ path, namespace: 'left-out' });
    onResolve({ filter: /^thread-stream$/ }, leftOut);
    onResolve({ filter: /\/(rabbitmq|rabbitmq-consumer|prometheus)\.ts$/ }, leftOut);
    // With the grammar of the shell. The policy is set when the stack is deployed.
    if (!process.env.COMMAND_POLICY) {
      onResolve({ filter: /\/open-policy\.ts$/ }, ({ path }) => ({ path, namespace: 'no-policy' }));
      onLoad({ filter: /.*/, namespace: 'no-policy' }, () => ({ contents: NO_POLICY }));
    }
    // Traces go to a collector that is named when the stack is deployed.
    if (!process.env.OTEL_EXPORTER_OTLP_ENDPOINT) {
      onResolve({ filter: /\/open-telemetry\.ts$/ }, leftOut);
    }
    const [entry] = Object.values(initialOptions.entryPoints ?? []);
    if (!String(entry).includes('execute-task')) {
      onResolve({ filter: /^@smithy\/core\/event-streams$/ }, leftOut);
    }
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({
      contents: 'module.exports = {}',
    }));
  },
};

export default [mapOwnCodeOnly, leaveOutUnused];
