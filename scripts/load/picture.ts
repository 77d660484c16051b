import type { Percentiles } from './latencies.ts';
import { drawPanel, escapeXml, type Line, type Panel, round } from './panel.ts';
import type { Point, Report } from './report.ts';
import { linearScale, logScale, timeScale } from './scale.ts';

const WIDTH = 960;
const LEFT = 70;
const RIGHT = 24;
const HEAD = 66;
const PANEL = 150;
const GAP = 54;
const FOOT = 46;
/** Fewer samples of memory than a minute has show nothing. */
const MIN_MEMORY_SAMPLES = 12;

/** Readable on white and on black paper; a viewer's choice is honoured where the picture is shown. */
const STYLE = `
svg{--paper:#fff;--ink:#1f2328;--dim:#59636e;--grid:#d8dee4;--grey:#6e7781;--blue:#0969da;--green:#1a7f37;--red:#cf222e;--orange:#bc4c00;--violet:#8250df}
@media (prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#e6edf3;--dim:#9198a1;--grid:#2a313c;--grey:#8b949e;--blue:#58a6ff;--green:#3fb950;--red:#ff7b72;--orange:#ffa657;--violet:#bc8cff}}
.paper{fill:var(--paper)}
text{font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;fill:var(--ink)}
.head{font-size:16px;font-weight:600}.title{font-size:13px;font-weight:600}.tick{fill:var(--dim)}
.end{text-anchor:end}.middle{text-anchor:middle}
.grid{stroke:var(--grid);fill:none}.mark{stroke:var(--dim);stroke-dasharray:2 4;fill:none}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}.dashed{stroke-dasharray:6 4}
.grey{stroke:var(--grey)}.blue{stroke:var(--blue)}.green{stroke:var(--green)}.red{stroke:var(--red)}.orange{stroke:var(--orange)}.violet{stroke:var(--violet)}
`.trim();

/** A run as SVG that needs nothing else: throughput, latencies and queue, over the same time. */
export function drawReport(report: Report): string {
  const panels = panelsOf(report);
  const height = HEAD + panels.length * (PANEL + GAP) - GAP + FOOT + 20;
  const time = timeScale(endOf(report));
  const width = WIDTH - LEFT - RIGHT;
  const frames = panels.map((_, index) => ({
    left: LEFT,
    top: HEAD + 20 + index * (PANEL + GAP),
    width,
    height: PANEL,
  }));
  const bottom = HEAD + 20 + panels.length * (PANEL + GAP) - GAP;
  const x = (seconds: number) => round(LEFT + width * time.at(seconds));
  const ticks = time.ticks.map(
    (tick) => `<text class="tick middle" x="${x(tick)}" y="${bottom + 18}">${tick}</text>`,
  );
  const title = titleOf(report);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeXml(title)}">
<title>${escapeXml(title)}</title>
<style>${STYLE}</style>
<rect class="paper" width="${WIDTH}" height="${height}"/>
<text class="head" x="${LEFT}" y="28">${escapeXml(title)}</text>
<text class="tick" x="${LEFT}" y="48">${escapeXml(subtitleOf(report))}</text>
<path class="mark" d="M${x(report.dueSeconds)} ${HEAD + 20}V${bottom}"/>
${panels.map((panel, index) => drawPanel(panel, frames[index] ?? never(), time)).join('\n')}
${ticks.join('\n')}
<text class="tick middle" x="${LEFT + width / 2}" y="${bottom + 38}">seconds since the start; from the dotted line on no request is due any more</text>
</svg>
`;
}

function never(): never {
  throw new Error('there is a frame for each panel');
}

function titleOf({ plan }: Report): string {
  const rates = plan.phases.flatMap(({ fromRate, toRate }) =>
    fromRate === toRate ? [String(fromRate)] : [`${fromRate} to ${toRate}`],
  );
  return `errand under load: ${rates.join(', ')} requests/s, mix ${plan.mix}`;
}

function subtitleOf({ startedAt, tasks, requests, binSeconds, endedEarly }: Report): string {
  return (
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC; ${requests.due} requests, ` +
    `${tasks.created} tasks; a point is ${binSeconds} s${endedEarly ? '; ended early' : ''}`
  );
}

function endOf({ series, binSeconds }: Report): number {
  return Math.max(1, series.length) * binSeconds;
}

function panelsOf(report: Report): Panel[] {
  return [
    throughputPanel(report),
    timesPanel('Request due to its answer (without `wait`)', report, ({ latencyMs }) => latencyMs),
    timesPanel('Task created to its end, by when it was created', report, (p) => p.endToEndMs),
    queuePanel(report),
    ...memoryPanel(report),
  ];
}

function throughputPanel(report: Report): Panel {
  const rate = (name: string, colour: Line['colour'], of: (point: Point) => number): Line => ({
    name,
    colour,
    // Of a stretch that the run ended in there is no rate.
    points: report.series
      .filter(({ seconds }) => seconds + report.binSeconds <= report.drainedSeconds)
      .map((point) => [middle(report, point), of(point) / report.binSeconds]),
  });
  const troubles = [
    rate('failed or unsent', 'red', ({ errors, unsent }) => errors + unsent),
    rate('refused with 429', 'orange', ({ limited }) => limited),
  ].filter(({ points }) => points.some(([, value]) => value));
  return linearPanel('Per second', [
    { ...rate('requests due', 'grey', ({ due }) => due), dashed: true },
    rate('requests answered', 'blue', ({ answered }) => answered),
    rate('tasks ended', 'green', ({ ended }) => ended),
    ...troubles,
  ]);
}

function timesPanel(title: string, report: Report, of: (point: Point) => Percentiles): Panel {
  const line = (name: string, colour: Line['colour'], key: keyof Percentiles): Line => ({
    name,
    colour,
    points: report.series.map((point) => [middle(report, point), of(point)[key]]),
  });
  const lines = [
    { ...line('max', 'grey', 'max'), dashed: true },
    line('p99', 'orange', 'p99'),
    line('p50', 'blue', 'p50'),
  ];
  const values = lines.flatMap(({ points }) => points.flatMap(([, value]) => value ?? []));
  const scale = logScale(
    values.reduce((least, value) => Math.min(least, value), 10),
    values.reduce((most, value) => Math.max(most, value), 10),
  );
  return { title, lines, scale, label: (ms) => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`) };
}

function queuePanel({ series, binSeconds }: Report): Panel {
  const depth = (name: string, colour: Line['colour'], of: (point: Point) => number): Line => ({
    name,
    colour,
    points: series.map((point) => [point.seconds + binSeconds, of(point)]),
  });
  return linearPanel('Tasks of this run at a time', [
    depth('queued', 'violet', ({ queued }) => queued),
    { ...depth('running', 'green', ({ running }) => running), dashed: true },
  ]);
}

const MEMORY_COLOURS = ['blue', 'green', 'orange', 'violet', 'red', 'grey'] as const;

function memoryPanel({ memory }: Report): Panel[] {
  if (memory.length < MIN_MEMORY_SAMPLES) return [];
  const names = Object.keys(memory[0]?.mb ?? {});
  const lines = names.map(
    (name, index): Line => ({
      name,
      colour: MEMORY_COLOURS[index % MEMORY_COLOURS.length] ?? 'grey',
      dashed: index % 2 === 1,
      points: memory.map(({ atMs, mb }) => [atMs / 1000, mb[name] ?? null]),
    }),
  );
  return [linearPanel('Memory of the server, MB', lines)];
}

function linearPanel(title: string, lines: readonly Line[]): Panel {
  const values = lines.flatMap(({ points }) => points.flatMap(([, value]) => value ?? []));
  const scale = linearScale(values.reduce((most, value) => Math.max(most, value), 0));
  return { title, lines, scale, label: (value) => value.toLocaleString('en') };
}

function middle({ binSeconds }: Report, { seconds }: Point): number {
  return seconds + binSeconds / 2;
}
