import { METRICS } from '../lib/observability/metric-catalogue.ts';

const BEGIN = '<!-- The catalogue, by `npm run monitoring`: -->\n';
const END = '<!-- So far. -->';

/** A text with the table of all metrics where its marks are. @throws when it lacks them */
export function withMetricsTable(text: string): string {
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`docs/metrics.md lacks the lines "${BEGIN.trim()}" and "${END}".`);
  }
  return `${before}${BEGIN}\n${metricsTable()}\n${END}${after}`;
}

function metricsTable(): string {
  const rows = Object.entries(METRICS).map(([name, { kind, labels, help }]) => [
    `\`${name}\``,
    kind,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  const table = [['metric', 'kind', 'labels', 'says'], ...rows];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...table.map((cells) => cells[column]?.length ?? 0)),
  );
  const lines = table.map(
    (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return `${lines.join('\n')}\n`;
}
