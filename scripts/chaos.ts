/**
 * `npm run chaos -- --tasks 2000 --seconds 120 --kills 40`: brings up a system of its own, kills its
 * parts at random while tasks are sent, and tells whether the promises held. Exit code 0: they did.
 * `--queue rabbitmq` needs rabbitmq-server on this machine.
 */
import { parseArgs } from 'node:util';
import { runChaos } from './chaos/run-chaos.ts';

const { values } = parseArgs({
  options: {
    queue: { type: 'string', default: 'sqs' },
    tasks: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '120' },
    kills: { type: 'string', default: '40' },
    quiet: { type: 'string', default: '180' },
  },
});

if (values.queue !== 'sqs' && values.queue !== 'rabbitmq') {
  throw new Error('--queue is sqs or rabbitmq');
}

const startedAt = performance.now();
const report = await runChaos({
  queue: values.queue,
  tasks: Number(values.tasks),
  seconds: Number(values.seconds),
  kills: Number(values.kills),
  quietWithinSeconds: Number(values.quiet),
  tell: (line) =>
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(1)} s  ${line}`),
});

const list = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
for (const finding of report.findings) console.log(finding);
console.log(`killed               ${list(report.kills)}
accepted             ${report.accepted} (and ${report.unanswered} whose answer was cut off)
ended                ${report.ended} (${list(report.byEnding)})
ran again            ${report.ranAgain}
quiet after          ${report.quietAfterSeconds.toFixed(1)} s
lost                 ${report.lost}
stuck                ${report.stuck}
settled twice        ${report.settledTwice}
orphaned processes   ${report.orphans}`);
const failed = report.lost + report.stuck + report.settledTwice + report.orphans > 0;
process.exit(failed ? 1 : 0);
