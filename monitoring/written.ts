import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dashboard } from './grafana/dashboard.ts';
import { OVERVIEW } from './grafana/overview.ts';
import { withMetricsTable } from './metrics-table.ts';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Files that are made from the code, by their path, with what they are to hold. */
export function written(): Readonly<Record<string, string>> {
  const metrics = path('docs/metrics.md');
  return {
    [path('monitoring/grafana/dashboards/errand.json')]:
      `${JSON.stringify(dashboard(OVERVIEW), null, 2)}\n`,
    [metrics]: withMetricsTable(readFileSync(metrics, 'utf8')),
  };
}
