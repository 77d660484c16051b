/** A process that creates a task and is killed after the commit, before the message is sent. */
import { connect } from '../../lib/db/connection.ts';
import { makeCreateTask } from '../../lib/tasks/create-task.ts';
import { aTask, TENANT } from '../support/a-task.ts';
import { quiet } from '../support/quiet.ts';

const url = process.env.DATABASE_URL ?? '';
const createTask = makeCreateTask({
  sql: connect({ url, poolMax: 1, prepare: true }),
  queue: {
    publish: async () => {
      process.kill(process.pid, 'SIGKILL');
    },
    depth: () => Promise.reject(new Error('not asked')),
    deadLetters: () => Promise.reject(new Error('not asked')),
    redrive: () => Promise.reject(new Error('not asked')),
    close: async () => {},
  },
  logger: quiet,
});
await createTask(TENANT, aTask({ command: 'echo survived' }));
