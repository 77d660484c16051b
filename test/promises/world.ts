import { expect } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import {
  type OutgoingMessage,
  QueueUnavailable,
  type TaskQueue,
} from '../../lib/queue/task-queue.ts';
import {
  type Claim,
  claimTask,
  oweUnclaimed,
  renewLeases,
  type Settlement,
  settleAttempt,
} from '../../lib/tasks/attempt-store.ts';
import { makeCancelTask } from '../../lib/tasks/cancel-task.ts';
import { publishOwed } from '../../lib/tasks/publish-owed.ts';
import { makeRelayOutbox } from '../../lib/tasks/relay-outbox.ts';
import { makeRescueTasks } from '../../lib/tasks/rescue-tasks.ts';
import { makeRetryTask } from '../../lib/tasks/retry-task.ts';
import type { NewTask, TaskId } from '../../lib/tasks/task.ts';
import { abandonHeld } from '../../lib/tasks/upkeep-store.ts';
import { findIllegalStates, findIllegalSteps } from '../../scripts/chaos/history.ts';
import { ACTOR, aTask, aTaskId, insertTask } from '../support/a-task.ts';
import { creator } from '../support/create.ts';
import { quiet } from '../support/quiet.ts';
import { NO_OUTPUT } from './settlements.ts';

/** What a task's row says about what happens next. */
export interface Row {
  readonly id: TaskId;
  readonly status: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly attempt: number;
  readonly attemptsLeft: number;
  readonly losses: number;
  readonly failureCode: string | null;
  readonly onWorkerLost: 'rerun' | 'fail';
  readonly cancelRequested: boolean;
  readonly due: boolean;
  readonly expired: boolean;
}

interface Message extends OutgoingMessage {
  readonly visibleAt: number;
}

/**
 * A database with a queue, workers that can vanish, and a clock that the test moves. The worker is
 * its statements: nothing runs in between, so a crash is to make no further one.
 */
export class World {
  readonly sql: Sql;
  /** What the queue holds, visible or not. A delivery does not take it away: see `deliver`. */
  messages: Message[] = [];
  queueIsDown = false;
  /** Attempts whose worker lives and has not settled, and those that others took over. */
  held: Claim[] = [];
  tasks: TaskId[] = [];
  #nowSeconds = 0;
  #seenSteps = 0;

  readonly #queue: TaskQueue = {
    publish: async (messages) => {
      if (this.queueIsDown) throw new QueueUnavailable('down');
      for (const message of messages) {
        const visibleAt = this.#nowSeconds + Math.ceil(message.delaySeconds);
        this.messages.push({ ...message, visibleAt });
      }
    },
    depth: async () => {
      if (this.queueIsDown) throw new QueueUnavailable('down');
      const ready = this.visible().length;
      return { ready, inFlight: 0, delayed: this.messages.length - ready };
    },
    countDeadLetters: async () => 0,
    deadLetters: async () => [],
    redrive: async () => 0,
    close: async () => {},
  };

  constructor(sql: Sql) {
    this.sql = sql;
  }

  get #deps() {
    return { sql: this.sql, queue: this.#queue, logger: quiet };
  }

  visible(): Message[] {
    return this.messages.filter(({ visibleAt }) => visibleAt <= this.#nowSeconds);
  }

  async create(fields: Partial<NewTask>): Promise<TaskId> {
    const { id } = await creator(this.#deps)(aTask(fields));
    this.tasks.push(id);
    return id;
  }

  /** The API dies between its commit and its publish. */
  async createAndDie(fields: Partial<NewTask>): Promise<TaskId> {
    const id = aTaskId();
    await insertTask(this.sql, id, ACTOR, aTask(fields));
    this.tasks.push(id);
    return id;
  }

  /** A worker is given a message. The message is deleted, or stays to be delivered once more. */
  async deliver(message: Message, { again }: { again: boolean }): Promise<Claim | undefined> {
    if (!again) this.messages = this.messages.filter((other) => other !== message);
    const claim = await claimTask(this.sql, message.taskId, {
      leaseSeconds: 30,
      sandboxTier: 'none',
    });
    if (claim) {
      this.held.push(claim);
      return claim;
    }
    const unclaimed = await oweUnclaimed(this.sql, message.taskId);
    if (unclaimed?.owed) await publishOwed(this.#deps, [unclaimed.owed]);
    return undefined;
  }

  async settle(claim: Claim, end: Settlement) {
    this.vanish(claim);
    const settled = await settleAttempt(this.sql, claim, end, NO_OUTPUT);
    if (settled) await publishOwed(this.#deps, settled.owed);
    return settled;
  }

  async giveBack(claim: Claim) {
    this.vanish(claim);
    const abandoned = await abandonHeld(this.sql, claim);
    await publishOwed(this.#deps, abandoned.owed);
    return abandoned;
  }

  async renew(claim: Claim): Promise<boolean> {
    return (await renewLeases(this.sql, [claim], 30)).length === 1;
  }

  vanish(claim: Claim): void {
    this.held = this.held.filter((other) => other !== claim);
  }

  cancel = (id: TaskId) => makeCancelTask(this.#deps)(ACTOR, id);
  retry = (id: TaskId) => makeRetryTask(this.#deps)(ACTOR, id);
  relay = () => makeRelayOutbox(this.#deps)();
  rescue = () => makeRescueTasks(this.#deps)();

  /** Moves every instant that the future depends on into the past, and the queue's clock on. */
  async passTime(seconds: number): Promise<void> {
    this.#nowSeconds += seconds;
    await this.sql`
      update errand.tasks
         set run_at = run_at - make_interval(secs => ${seconds}),
             nudge_at = nudge_at - make_interval(secs => ${seconds}),
             lease_expires_at = lease_expires_at - make_interval(secs => ${seconds})
       where finished_at is null`;
    await this.sql`
      update errand.outbox set due_at = due_at - make_interval(secs => ${seconds}),
                               relay_at = relay_at - make_interval(secs => ${seconds})`;
  }

  async row(id: TaskId): Promise<Row> {
    const [row] = await this.sql<[Row]>`
      select id, status, attempt, attempts_left as "attemptsLeft", lost_attempts as losses,
             failure_code as "failureCode", on_worker_lost as "onWorkerLost",
             cancel_requested_at is not null as "cancelRequested", run_at <= now() as due,
             coalesce(lease_expires_at < now(), false) as expired
        from errand.tasks where id = ${id}`;
    return row;
  }

  async leaseOf(id: TaskId): Promise<Date | null> {
    const [row] = await this.sql<[{ at: Date | null }]>`
      select lease_expires_at as at from errand.tasks where id = ${id}`;
    return row.at;
  }

  rows = () => Promise.all(this.tasks.map((id) => this.row(id)));

  /** What must hold between any two steps, whatever they were. */
  async check(): Promise<void> {
    const [last] = await this.sql<[{ id: number | null }]>`select max(id) as id from audit.steps`;
    expect(await findIllegalSteps(this.sql, this.#seenSteps)).toEqual([]);
    expect(await findIllegalStates(this.sql)).toEqual([]);
    expect(await this.#findForsaken()).toEqual([]);
    this.#seenSteps = last.id ?? 0;
  }

  /**
   * Queued tasks that nothing would ever start: without a message in the queue, without a row in
   * the outbox, and not to be nudged within a bounded time after they are due.
   */
  async #findForsaken(): Promise<string[]> {
    const rows = await this.sql<{ id: TaskId }[]>`
      select id from errand.tasks t
       where status = 'queued' and nudge_at > greatest(now(), run_at) + interval '901 seconds'
         and not exists (select from errand.outbox where task_id = t.id)`;
    return rows.map(({ id }) => id).filter((id) => !this.messages.some((m) => m.taskId === id));
  }
}
