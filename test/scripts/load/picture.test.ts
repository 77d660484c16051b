import { execFile } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { drawReport } from '../../../scripts/load/picture.ts';
import { answered, aReport } from './a-report.ts';

/** Parsed by a real parser of XML, which complains of what is not well-formed; its root's name. */
function parseXml(text: string): Promise<string> {
  const program =
    'import sys, xml.etree.ElementTree as e; print(e.parse(sys.stdin.buffer).getroot().tag)';
  return new Promise((resolve, reject) => {
    const child = execFile('python3', ['-c', program], (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(stdout.trim()),
    );
    child.stdin?.end(text);
  });
}

/** The points of each line that has this name, one list for each panel. */
function linesOf(svg: string, name: string): [number, number][][] {
  return [...svg.matchAll(new RegExp(`data-name="${name}" d="([^"]*)"`, 'g'))].map(([, path]) =>
    [...(path ?? '').matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]),
  );
}

/** Ten seconds; answers take 10 ms, and 1 s in the fifth second. */
const slowOnce = Array.from({ length: 100 }, (_, n) => ({
  dueMs: n * 100,
  tookMs: n >= 50 && n < 60 ? 1000 : 10,
}));

describe('the picture of a load', () => {
  it('is well-formed, whatever the names in it', async () => {
    const memory = Array.from({ length: 20 }, (_, n) => ({ atMs: n * 500, mb: { '<&">': n } }));
    const report = await aReport({ requests: slowOnce, memory });
    expect(await parseXml(drawReport(report))).toBe('{http://www.w3.org/2000/svg}svg');
  });

  it('has a point for each second, where its value belongs', async () => {
    const svg = drawReport(await aReport({ requests: slowOnce, drainedSeconds: 10 }));
    const [p99 = []] = linesOf(svg, 'p99');
    expect(p99).toHaveLength(10);
    // Time goes to the right, evenly.
    const steps = p99.slice(1).map(([x], index) => x - (p99[index]?.[0] ?? 0));
    expect(Math.max(...steps) - Math.min(...steps)).toBeLessThan(0.3);
    // On a log scale from 10 ms to 1 s, the slow second is two decades above the others: all of it.
    const heights = p99.map(([, y]) => y);
    expect(heights.indexOf(Math.min(...heights))).toBe(5);
    expect(Math.max(...heights) - Math.min(...heights)).toBeGreaterThan(70);
    expect(svg).toContain('>10 ms<');
    expect(svg).toContain('>1 s<');
    const [due = []] = linesOf(svg, 'requests due');
    expect(new Set(due.map(([, y]) => y)).size).toBe(1);
  });

  it('draws how deep the queue was', async () => {
    const tasks = Array.from({ length: 40 }, () => ({
      createdMs: 2500,
      startedMs: 6500,
      finishedMs: 6600,
    }));
    const [queued = []] = linesOf(
      drawReport(await aReport({ requests: slowOnce, tasks })),
      'queued',
    );
    const [empty, full] = [queued[0]?.[1], queued[4]?.[1]];
    expect(queued.map(([, y]) => (y === empty ? '_' : y === full ? '#' : y)).join('')).toBe(
      '__####_____'.slice(0, queued.length),
    );
  });

  it('shows failures and refusals only where there were some', async () => {
    const calm = drawReport(await aReport({ requests: slowOnce }));
    expect(calm).not.toContain('failed or unsent');
    expect(calm).not.toContain('refused with 429');
    const rough = drawReport(
      await aReport({
        requests: [
          ...slowOnce,
          { dueMs: 1, answer: answered(429) },
          { dueMs: 1, answer: undefined },
        ],
      }),
    );
    expect(rough).toContain('failed or unsent');
    expect(rough).toContain('refused with 429');
  });

  it('shows a second that stands alone as a dot, and a run of nothing as empty axes', async () => {
    const alone = drawReport(await aReport({ requests: [{ dueMs: 4500 }] }));
    expect(alone).toMatch(/data-name="p99" d="M[\d.]+ [\d.]+h0"/);
    expect(await parseXml(drawReport(await aReport()))).toContain('svg');
  });

  it('is legible on dark paper, asks for nothing from elsewhere, and holds no key', async () => {
    const svg = drawReport(await aReport({ requests: slowOnce }));
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg.match(/https?:\/\/[^"]*/g)).toEqual(['http://www.w3.org/2000/svg']);
    expect(svg).not.toContain('errand_secret');
  });
});
