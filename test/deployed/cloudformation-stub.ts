import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AwsClient } from 'aws4fetch';
import type { Template } from './template/template.ts';

interface Stack {
  status: string;
  template: Template;
  readonly physicalIds: Map<string, string>;
  readonly events: string[];
  changeSet?: Template;
}

export interface CloudFormationStub {
  readonly url: string;
  readonly stacks: ReadonlyMap<string, Stack>;
  /** Names of the calls, in order. */
  readonly calls: readonly string[];
  close(): Promise<void>;
}

/** A call of another service than CloudFormation. */
export interface OtherCall {
  /** `DescribeDBClusters`, or of a JSON service `AmazonSSM.DescribeParameters`. */
  readonly action: string;
  readonly path: string;
  readonly body: string;
}

const ACCOUNT = '000000000000';

/**
 * As much of CloudFormation as a deployment asks for. It keeps templates and makes no resource but
 * buckets, in the emulator's S3, because the packages are uploaded there. `answerOther` answers for
 * the rest of AWS, as far as it knows.
 */
export async function serveCloudFormation(
  s3: string,
  answerOther: (call: OtherCall) => Promise<string | undefined>,
): Promise<CloudFormationStub> {
  const stacks = new Map<string, Stack>();
  const calls: string[] = [];
  const keys = { accessKeyId: 'test', secretAccessKey: 'test', service: 's3', region: 'us-east-1' };
  const client = new AwsClient(keys);

  async function apply(name: string, stack: Stack, template: Template, done: string) {
    stack.template = template;
    for (const [id, { Type }] of Object.entries(template.Resources)) {
      const physicalId = `${name}-${id}`.toLowerCase();
      if (Type === 'AWS::S3::Bucket' && !stack.physicalIds.has(id)) {
        await client.fetch(`${s3}/${physicalId}`, { method: 'PUT' });
      }
      stack.physicalIds.set(id, physicalId);
      stack.events.push(event(name, id, Type, done));
    }
    stack.status = done;
    stack.events.push(event(name, name, 'AWS::CloudFormation::Stack', done));
  }

  async function answer(call: string, input: URLSearchParams): Promise<string> {
    const name = (input.get('StackName') ?? '').replace(/^arn:.*:stack\/([^/]+)\/.*/, '$1');
    const stack = stacks.get(name);
    const body = input.get('TemplateBody') ?? (await download(input.get('TemplateURL')));
    const template: Template = body ? JSON.parse(body) : { Resources: {} };
    if (call === 'ValidateTemplate') return '';
    if (call === 'CreateStack' || (call === 'CreateChangeSet' && stack === undefined)) {
      const created = {
        status: 'REVIEW_IN_PROGRESS',
        template,
        physicalIds: new Map(),
        events: [],
      };
      stacks.set(name, created);
      if (call === 'CreateStack') await apply(name, created, template, 'CREATE_COMPLETE');
      else Object.assign(created, { changeSet: template });
      return ids(name);
    }
    if (stack === undefined || stack.status === 'DELETE_COMPLETE') {
      throw new Error(`Stack with id ${name} does not exist`);
    }
    switch (call) {
      case 'CreateChangeSet':
        stack.changeSet = template;
        return ids(name);
      case 'DescribeChangeSet':
        return `${ids(name)}<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus>`;
      case 'DeleteChangeSet':
      case 'SetStackPolicy':
        return '';
      case 'ExecuteChangeSet': {
        const done = stack.status === 'REVIEW_IN_PROGRESS' ? 'CREATE_COMPLETE' : 'UPDATE_COMPLETE';
        await apply(name, stack, stack.changeSet ?? template, done);
        return '';
      }
      case 'UpdateStack':
        await apply(name, stack, template, 'UPDATE_COMPLETE');
        return ids(name);
      case 'DeleteStack':
        stack.events.push(event(name, name, 'AWS::CloudFormation::Stack', 'DELETE_COMPLETE'));
        stack.status = 'DELETE_COMPLETE';
        return '';
      case 'DescribeStacks':
        return `<Stacks><member>${describe(name, stack)}</member></Stacks>`;
      case 'DescribeStackEvents':
        return `<StackEvents>${stack.events.toReversed().join('')}</StackEvents>`;
      case 'DescribeStackResource': {
        const id = input.get('LogicalResourceId') ?? '';
        if (!stack.template.Resources[id]) {
          throw new Error(`Resource ${id} does not exist for stack ${name}`);
        }
        return `<StackResourceDetail>${resource(stack, id)}</StackResourceDetail>`;
      }
      case 'ListStackResources': {
        const members = Object.keys(stack.template.Resources).map(
          (id) => `<member>${resource(stack, id)}</member>`,
        );
        return `<StackResourceSummaries>${members.join('')}</StackResourceSummaries>`;
      }
      default:
        throw new Error(`${call} is not known here`);
    }
  }

  async function download(url: string | null): Promise<string | null> {
    if (url === null) return null;
    const { pathname } = new URL(url);
    const response = await client.fetch(`${s3}${pathname}`);
    return response.text();
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    // `remove` asks the container registry, too, whether the stack has images.
    if (String(request.headers['x-amz-target']).includes('ContainerRegistry')) {
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
      response.end('{"__type":"RepositoryNotFoundException","message":"no images"}');
      return;
    }
    const body = Buffer.concat(chunks).toString();
    const input = new URLSearchParams(body);
    const call = input.get('Action') ?? '';
    const action = String(request.headers['x-amz-target'] ?? call);
    const other = await answerOther({ action, path: request.url ?? '', body });
    if (other !== undefined) {
      response.end(other);
      return;
    }
    calls.push(call);
    try {
      const result = await answer(call, input);
      response.end(`<${call}Response><${call}Result>${result}</${call}Result></${call}Response>`);
    } catch (error) {
      response.writeHead(400);
      const message = error instanceof Error ? error.message : String(error);
      response.end(
        `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>${message}</Message></Error></ErrorResponse>`,
      );
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stacks,
    calls,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function stackId(name: string): string {
  return `arn:aws:cloudformation:us-east-1:${ACCOUNT}:stack/${name}/1`;
}

function ids(name: string): string {
  return `<StackName>${name}</StackName><StackId>${stackId(name)}</StackId><Id>${stackId(name)}</Id>`;
}

function describe(name: string, { status, template }: Stack): string {
  const outputs = Object.keys(template.Outputs ?? {}).map(
    (key) =>
      `<member><OutputKey>${key}</OutputKey><OutputValue>${key} of ${name}</OutputValue></member>`,
  );
  return (
    `<StackName>${name}</StackName><StackId>${stackId(name)}</StackId>` +
    `<StackStatus>${status}</StackStatus><Outputs>${outputs.join('')}</Outputs>`
  );
}

function resource({ template, physicalIds }: Stack, id: string): string {
  return (
    `<LogicalResourceId>${id}</LogicalResourceId>` +
    `<PhysicalResourceId>${physicalIds.get(id)}</PhysicalResourceId>` +
    `<ResourceType>${template.Resources[id]?.Type}</ResourceType>`
  );
}

let eventNumber = 0;

function event(stack: string, id: string, type: string, status: string): string {
  eventNumber += 1;
  const at = new Date().toISOString();
  return (
    `<member><StackId>${stackId(stack)}</StackId><EventId>${eventNumber}</EventId>` +
    `<StackName>${stack}</StackName><LogicalResourceId>${id}</LogicalResourceId>` +
    `<PhysicalResourceId>${type === 'AWS::CloudFormation::Stack' ? stackId(stack) : id}</PhysicalResourceId>` +
    `<ResourceType>${type}</ResourceType><Timestamp>${at}</Timestamp>` +
    `<ResourceStatus>${status}</ResourceStatus></member>`
  );
}
