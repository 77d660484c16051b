/** What somebody who reads a dashboard sees; where it stands follows from the order. */
export interface Panel {
  readonly title: string;
  /** Behind the panel's "i": what it says, and what to do about it. */
  readonly description: string;
  /** As Grafana calls it: https://grafana.com/docs/grafana/latest/panels-visualizations/ has a list. */
  readonly unit: string;
  /** `value`: one figure as of now. Left out: a graph. */
  readonly shows?: 'value';
  /** From where on it is yellow and red; where red is the lesser, it is what lies below. */
  readonly limits?: { readonly warning: number; readonly critical: number };
  /** Legend and PromQL. */
  readonly queries: Readonly<Record<string, string>>;
}

/** A row of the dashboard, which can be folded. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const COLUMNS = 24;
const HEIGHTS = { value: 4, graph: 8 };
/** Graphs beside each other; values all stand on one line. */
const GRAPHS_A_LINE = 3;
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

/** The model that Grafana reads; version 39 of it, which 11 and 12 take. */
export function dashboard(rows: readonly Row[]) {
  return {
    uid: 'errand',
    title: 'errand',
    description: 'Do tasks flow, and if not, why? docs/metrics.md tells what to look at when.',
    tags: ['errand'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1, // One cross-hair for all graphs.
    refresh: '15s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [datasourceVariable, instanceVariable] },
    annotations: { list: [alertAnnotation] },
    panels: laidOut(rows),
  };
}

const datasourceVariable = {
  name: 'datasource',
  label: 'Prometheus',
  type: 'datasource',
  query: 'prometheus',
};

const instanceVariable = {
  name: 'instance',
  label: 'Process',
  description: 'Rates and processes; what there is to do is of the whole system anyway.',
  type: 'query',
  datasource: DATASOURCE,
  query: { query: 'label_values(up{job="errand"}, instance)', refId: 'instance' },
  refresh: 2, // When the range of time changes: containers come and go.
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.+',
  current: { text: ['All'], value: ['$__all'] },
};

const alertAnnotation = {
  name: 'Alerts',
  datasource: DATASOURCE,
  enable: true,
  iconColor: 'red',
  expr: 'ALERTS{alertname=~"Errand.*", alertstate="firing"}',
  titleFormat: '{{alertname}}',
  step: '15s',
};

function laidOut(rows: readonly Row[]): object[] {
  const laid: object[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    laid.push({
      id: laid.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y += 1;
    for (const line of lines(panels)) {
      const w = COLUMNS / line.length;
      const h = HEIGHTS[line[0]?.shows ?? 'graph'];
      for (const [index, panel] of line.entries()) {
        laid.push({
          id: laid.length + 1,
          ...drawn(panel),
          gridPos: { x: index * w, y, w, h },
        });
      }
      y += h;
    }
  }
  return laid;
}

function lines(panels: readonly Panel[]): Panel[][] {
  const values = panels.filter(({ shows }) => shows === 'value');
  const graphs = panels.filter(({ shows }) => shows === undefined);
  const all = values.length > 0 ? [values] : [];
  for (let start = 0; start < graphs.length; start += GRAPHS_A_LINE) {
    all.push(graphs.slice(start, start + GRAPHS_A_LINE));
  }
  return all;
}

function drawn({ title, description, unit, shows, limits, queries }: Panel) {
  const common = {
    title,
    description,
    datasource: DATASOURCE,
    targets: Object.entries(queries).map(([legend, expr], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      ...(shows === 'value' ? { instant: true } : { range: true }),
    })),
  };
  const thresholds = { mode: 'absolute', steps: steps(limits) };
  if (shows === 'value') {
    return {
      type: 'stat',
      ...common,
      fieldConfig: {
        defaults: { unit, decimals: 1, thresholds, color: { mode: 'thresholds' } },
        overrides: [],
      },
      options: {
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        colorMode: 'value',
        graphMode: 'none',
        justifyMode: 'center',
        textMode: 'value',
      },
    };
  }
  const custom = {
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: 10,
    showPoints: 'never',
    // A line for each limit.
    thresholdsStyle: { mode: limits ? 'dashed' : 'off' },
  };
  return {
    type: 'timeseries',
    ...common,
    fieldConfig: {
      defaults: { unit, min: 0, thresholds, color: { mode: 'palette-classic' }, custom },
      overrides: [],
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

function steps(limits: Panel['limits']) {
  if (!limits) return [{ color: 'green', value: null }];
  const { warning, critical } = limits;
  if (critical < warning) {
    return [
      { color: 'red', value: null },
      { color: 'yellow', value: critical },
      { color: 'green', value: warning },
    ];
  }
  return [
    { color: 'green', value: null },
    { color: 'yellow', value: warning },
    { color: 'red', value: critical },
  ];
}
