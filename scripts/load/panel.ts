import type { Scale } from './scale.ts';

/** A line of a picture. */
export interface Line {
  readonly name: string;
  /** A class of the picture's style. */
  readonly colour: 'grey' | 'blue' | 'green' | 'red' | 'orange' | 'violet';
  /** Lines of one panel also differ in this, for who cannot tell their colours apart. */
  readonly dashed?: boolean;
  /** In order of time; null where there was nothing. */
  readonly points: readonly (readonly [seconds: number, value: number | null])[];
}

/** One diagram of a picture. */
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly scale: Scale;
  /** What stands at a tick. */
  readonly label: (value: number) => string;
}

/** Where a panel is drawn, in pixels. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const LEGEND_LINE = 22;
/** Of a letter, on average: text cannot be measured here. */
const LETTER = 7.6;

export function drawPanel(
  { title, lines, scale, label }: Panel,
  frame: Frame,
  time: Scale,
): string {
  const { left, top, width, height } = frame;
  const y = (value: number) => round(top + height * (1 - scale.at(value)));
  const x = (seconds: number) => round(left + width * time.at(seconds));
  const ticks = scale.ticks.map(
    (tick) =>
      `<path class="grid" d="M${left} ${y(tick)}h${width}"/>` +
      `<text class="tick end" x="${left - 8}" y="${y(tick) + 4}">${escapeXml(label(tick))}</text>`,
  );
  const drawn = lines.map(
    ({ name, colour, dashed, points }) =>
      `<path class="line ${colour}${dashed ? ' dashed' : ''}" data-name="${escapeXml(name)}" ` +
      `d="${path(points, x, y)}"/>`,
  );
  const head = `<text class="title" x="${left}" y="${top - 12}">${escapeXml(title)}</text>`;
  return [head, drawLegend(lines, left + width, top - 12), ...ticks, ...drawn].join('\n');
}

/** From the right end to the left, in the order of the lines. */
function drawLegend(lines: readonly Line[], right: number, y: number): string {
  let x = right;
  const entries = [...lines].reverse().map(({ name, colour, dashed }) => {
    x -= name.length * LETTER;
    const text = `<text class="tick" x="${round(x)}" y="${y}">${escapeXml(name)}</text>`;
    x -= LEGEND_LINE + 6;
    const sample = `<path class="line ${colour}${dashed ? ' dashed' : ''}" d="M${round(x)} ${y - 4}h${LEGEND_LINE}"/>`;
    x -= 14;
    return sample + text;
  });
  return entries.reverse().join('');
}

function path(
  points: Line['points'],
  x: (seconds: number) => number,
  y: (value: number) => number,
): string {
  let apart = true;
  const steps = points.map(([seconds, value]) => {
    if (value === null) {
      apart = true;
      return '';
    }
    // A point that has no neighbours shows as a dot, for the ends of lines are round.
    const step = apart ? `M${x(seconds)} ${y(value)}h0` : `L${x(seconds)} ${y(value)}`;
    apart = false;
    return step;
  });
  return steps.join('');
}

export function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
