/** Lines that are alike and arrive in a row, in a terminal that is to stay readable. */
export interface RepeatedLines {
  /** Shows the first line of its kind; the others of the same period are only counted. */
  show(kind: string, text: string): void;
  /** Tells at once what was counted. */
  flush(): void;
}

const PERIOD_MS = 10_000;

/** An endless row shows its first line, and then its latest once a period with the count. */
export function collapseRepeats(
  write: (text: string) => void,
  periodMs = PERIOD_MS,
): RepeatedLines {
  const rows = new Map<string, { latest: string; hidden: number; timer: NodeJS.Timeout }>();

  function tell(kind: string) {
    const row = rows.get(kind);
    if (row === undefined) return;
    if (row.hidden > 0) write(`${firstLine(row.latest)} ... ${row.hidden} more like this`);
    else {
      clearInterval(row.timer);
      rows.delete(kind);
    }
    row.hidden = 0;
  }

  return {
    show(kind, text) {
      const row = rows.get(kind);
      if (row !== undefined) {
        row.latest = text;
        row.hidden += 1;
        return;
      }
      const timer = setInterval(() => tell(kind), periodMs).unref();
      rows.set(kind, { latest: text, hidden: 0, timer });
      write(text);
    },
    flush() {
      for (const kind of [...rows.keys()]) tell(kind);
    },
  };
}

/** Without the stack below it. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
