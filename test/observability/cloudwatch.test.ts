import { describe, expect, it } from 'vitest';
import { openCloudWatch } from '../../lib/observability/cloudwatch.ts';

function open() {
  const written: string[] = [];
  const recorder = openCloudWatch({ service: 'errand-test', write: (line) => written.push(line) });
  return {
    recorder,
    flushed() {
      recorder.flush?.();
      return written.splice(0).map((line) => JSON.parse(line));
    },
  };
}

const metric = (Name: string, Unit: string, ...labels: string[]) => ({
  Namespace: 'errand',
  Dimensions: [['service', ...labels]],
  Metrics: [{ Name, Unit }],
});

describe('the recorder for CloudWatch', () => {
  it('writes one line for what has the same labels, in the embedded metric format', () => {
    const { recorder, flushed } = open();
    recorder.count('errand_tasks_created_total', {}, 2);
    recorder.count('errand_tasks_created_total', {}, 3);
    recorder.observe('errand_attempt_wait_seconds', {}, 0.5);
    recorder.observe('errand_attempt_wait_seconds', {}, 1.5);
    recorder.set('errand_dead_letters', {}, 7);
    recorder.set('errand_dead_letters', {}, 4);
    const lines = flushed();
    expect(lines).toEqual([
      {
        _aws: {
          Timestamp: expect.any(Number),
          CloudWatchMetrics: [
            metric('errand_tasks_created_total', 'Count'),
            metric('errand_attempt_wait_seconds', 'Seconds'),
            metric('errand_dead_letters', 'Count'),
          ],
        },
        service: 'errand-test',
        errand_tasks_created_total: [5],
        errand_attempt_wait_seconds: [0.5, 1.5],
        errand_dead_letters: [4],
      },
    ]);
    expect(Math.abs(Date.now() - lines[0]._aws.Timestamp)).toBeLessThan(60_000);
  });

  it('has a line for each set of labels, which are dimensions', () => {
    const { recorder, flushed } = open();
    recorder.count('errand_output_bytes_total', { stream: 'stdout' }, 5);
    recorder.count('errand_output_bytes_total', { stream: 'stderr' }, 6);
    const [stdout, stderr] = flushed();
    const declared = [metric('errand_output_bytes_total', 'Bytes', 'stream')];
    expect(stdout).toMatchObject({ stream: 'stdout', errand_output_bytes_total: [5] });
    expect(stderr).toMatchObject({ stream: 'stderr', errand_output_bytes_total: [6] });
    expect(stdout._aws.CloudWatchMetrics).toEqual(declared);
    expect(stderr._aws.CloudWatchMetrics).toEqual(declared);
  });

  it('keeps labels out of the dimensions where they would make many metrics', () => {
    const { recorder, flushed } = open();
    const labels = { method: 'GET', route: '/api/tasks', status: 200 };
    recorder.observe('errand_http_request_duration_seconds', labels, 0.1);
    expect(flushed()).toMatchObject([
      {
        ...labels,
        _aws: {
          CloudWatchMetrics: [metric('errand_http_request_duration_seconds', 'Seconds', 'route')],
        },
      },
    ]);
  });

  it('puts no more values in a line than CloudWatch takes', () => {
    const { recorder, flushed } = open();
    for (let value = 0; value < 250; value++) {
      recorder.observe('errand_attempt_wait_seconds', {}, value);
    }
    const lines = flushed().map((line) => line.errand_attempt_wait_seconds);
    expect(lines.map((values) => values.length)).toEqual([100, 100, 50]);
    expect(lines.flat()).toEqual(Array.from({ length: 250 }, (_, value) => value));
  });

  it('writes nothing twice, and nothing where nothing was measured', () => {
    const { recorder, flushed } = open();
    recorder.count('errand_retries_total', {}, 1);
    expect(flushed()).toHaveLength(1);
    expect(flushed()).toEqual([]);
  });
});
