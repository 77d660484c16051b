import { describe, expect, it } from 'vitest';
import { makeEmfMeasure } from '../../lib/observability/emf.ts';

describe('makeEmfMeasure', () => {
  it('writes one line of which CloudWatch makes a metric', () => {
    const lines: string[] = [];
    makeEmfMeasure('errand-prod-relay-outbox', (line) => lines.push(line))('RelayLag', 12.5);
    expect(lines.join('')).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines.join(''))).toEqual({
      _aws: {
        Timestamp: expect.closeTo(Date.now(), -4),
        CloudWatchMetrics: [
          {
            Namespace: 'errand',
            Dimensions: [['FunctionName']],
            Metrics: [{ Name: 'RelayLag', Unit: 'Seconds' }],
          },
        ],
      },
      FunctionName: 'errand-prod-relay-outbox',
      RelayLag: 12.5,
    });
  });
});
