/** A process that creates a task and is killed after the commit, before the message is sent. */
import { connect } from '../../lib/db/connection.ts';
import { aTask } from '../support/a-task.ts';
import { creator } from '../support/create.ts';
import { quiet } from '../support/quiet.ts';

const url = process.env.DATABASE_URL ?? '';
const createTask = creator({
  sql: connect({ url, poolMax: 1, prepare: true }),
  queue: {
    publish: async () => {
      process.kill(process.pid, 'SIGKILL');
    },
    depth: () => Promise.reject(new Error('not asked')),
    countDeadLetters: () => Promise.reject(new Error('not asked')),
    deadLetters: () => Promise.reject(new Error('not asked')),
    redrive: () => Promise.reject(new Error('not asked')),
    close: async () => {},
  },
  logger: quiet,
});
await createTask(aTask({ command: 'echo survived' }));
