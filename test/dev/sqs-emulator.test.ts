import { randomUUID } from 'node:crypto';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, startEmulator } from '../support/servers.ts';

describe('sqs-emulator', () => {
  let emulator: Server;
  let sqs: SQSClient;

  beforeAll(async () => {
    emulator = await startEmulator();
    sqs = new SQSClient({ endpoint: emulator.url, region: 'us-east-1' });
  });
  afterAll(async () => {
    sqs.destroy();
    await emulator.close();
  });

  async function makeQueue(): Promise<string> {
    const { QueueUrl: url = '' } = await sqs.send(
      new CreateQueueCommand({ QueueName: randomUUID() }),
    );
    return url;
  }

  async function receive(url: string) {
    const { Messages: messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }),
    );
    return messages;
  }

  const send = (url: string, ...bodies: string[]) =>
    sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: url,
        Entries: bodies.map((body, index) => ({ Id: String(index), MessageBody: body })),
      }),
    );

  it('keeps its messages when it is killed', async () => {
    const url = await makeQueue();
    await send(url, 'a', 'b');
    await emulator.crash();
    await emulator.restart();

    expect((await receive(url)).map(({ Body }) => Body).sort()).toEqual(['a', 'b']);
  });

  it('keeps a message that is returned to its queue', async () => {
    const url = await makeQueue();
    await send(url, 'a');
    const [received] = await receive(url);
    await sqs.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: received?.ReceiptHandle,
        VisibilityTimeout: 0,
      }),
    );

    expect((await receive(url)).map(({ Body }) => Body)).toEqual(['a']);
  });

  it('listens on loopback only', async () => {
    const { port } = new URL(emulator.url);
    // Linux takes all of 127/8 for loopback, so what listens everywhere answers here as well.
    await expect(fetch(`http://127.0.0.2:${port}/health`)).rejects.toThrow('fetch failed');
  });
});
