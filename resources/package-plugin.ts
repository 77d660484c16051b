import { createRequire } from 'node:module';
import { alarmResources, alarmsFor, dashboardResource } from './alarms.ts';
import { databaseResources } from './database.ts';
import { RIGHTS, roleOf } from './roles.ts';

/** The part of the framework's API that this plugin uses. */
interface Serverless {
  readonly service: {
    readonly provider: {
      readonly tags?: Record<string, string>;
      readonly vpc?: unknown;
      readonly compiledCloudFormationTemplate: {
        readonly Resources: Readonly<Record<string, CompiledResource>>;
      };
    };
    readonly functions: Readonly<Record<string, FunctionDefinition>>;
    readonly custom: Custom;
    readonly service: string;
    resources?: { Resources?: Readonly<Record<string, object>> };
  };
  getProvider(name: 'aws'): { getStage(): string };
  readonly processedInput: { readonly commands: readonly string[] };
  readonly pluginManager: { addPlugin(plugin: unknown): void };
}
interface CompiledResource {
  readonly Type: string;
  DependsOn?: string[];
  Properties?: Record<string, unknown>;
}
export interface FunctionDefinition {
  readonly name: string;
  role?: string;
  environment?: Readonly<Record<string, unknown>>;
  vpc?: unknown;
}
/** What `serverless.yml` hands over, of its parameters. */
export interface Custom {
  readonly database: string;
  readonly databaseSecret?: string;
  /** As in `--param`: text, where it comes from the command line. */
  readonly aurora: Readonly<Record<string, unknown>>;
  readonly alarmActions?: string;
  readonly logRetentionDays: number;
  readonly upkeepRate: string;
}

/**
 * What the deployment needs besides the framework: a role for each function, alarms, bundles. Idle under
 * `serverless offline`, which runs the sources as they are.
 */
export default class PackagePlugin {
  readonly hooks: Readonly<Record<string, () => void>>;

  constructor(serverless: Serverless) {
    const local = serverless.processedInput.commands[0] === 'offline';
    this.hooks = local
      ? {}
      : {
          'before:package:initialize': () => addResources(serverless),
          'before:package:finalize': () => migrateFirst(serverless),
        };
    if (!local) serverless.pluginManager.addPlugin(bundler());
  }
}

/** Not in the list of plugins, because it would bundle before it serves locally, too. */
function bundler(): unknown {
  const home = createRequire(import.meta.resolve('serverless-esbuild'));
  // It leaves the archiver at its fastest, which makes the zips a tenth larger.
  const archiver = home('archiver') as { create(format: string, options?: object): unknown };
  const { create } = archiver;
  archiver.create = (format, options) => create(format, { zlib: { level: 9 }, ...options });
  return home('serverless-esbuild');
}

function addResources(serverless: Serverless): void {
  const { service } = serverless;
  const stackName = `${service.service}-${serverless.getProvider('aws').getStage()}`;
  const alarms = alarmsFor(minutesOf(service.custom.upkeepRate));
  const actions = (service.custom.alarmActions ?? '').split(',').filter((arn) => arn !== '');
  service.resources = {
    ...service.resources,
    Resources: {
      ...service.resources?.Resources,
      ...databaseResources(stackName, service),
      ...rolesOf(service),
      ...alarmResources(stackName, alarms, actions),
      Dashboard: dashboardResource(stackName, alarms),
    },
  };
}

/** Of a rate as EventBridge has it. @throws Error that names the parameter */
function minutesOf(upkeepRate: string): number {
  const [, number, unit] = /^(\d+) (minute|hour)s?$/.exec(upkeepRate) ?? [];
  const minutes = Number(number) * (unit === 'hour' ? 60 : 1);
  // Alarms look at five turns, and CloudWatch back for a day.
  if (minutes >= 1 && minutes <= 4 * 60) return minutes;
  throw new Error(
    `--param upkeepRate is "${upkeepRate}"; it must be from "1 minute" to "4 hours", as in "15 minutes".`,
  );
}

/** A role for each function, which is told to take it. @throws when a role has no function */
function rolesOf({ provider, functions, custom }: Serverless['service']): Record<string, object> {
  const roles: Record<string, object> = {};
  for (const [key, definition] of Object.entries(functions)) {
    definition.role = roleName(key);
    roles[definition.role] = roleOf(key, {
      functionName: definition.name,
      databaseSecret: custom.database === 'aurora' ? undefined : custom.databaseSecret || undefined,
      inVpc: provider.vpc !== undefined || definition.vpc !== undefined,
      tags: provider.tags ?? {},
    });
  }
  const gone = Object.keys(RIGHTS).filter((key) => functions[key] === undefined);
  if (gone.length > 0) {
    throw new Error(`resources/roles.ts has roles for no function: ${gone.join(', ')}`);
  }
  return roles;
}

/** No function of a new release serves before the database is migrated, but who migrates it. */
function migrateFirst({ service }: Serverless): void {
  const { Resources } = service.provider.compiledCloudFormationTemplate;
  for (const [id, resource] of Object.entries(Resources)) {
    if (resource.Type !== 'AWS::Lambda::Function') continue;
    if (id === 'MigrateDashdatabaseLambdaFunction') continue;
    resource.DependsOn = [...(resource.DependsOn ?? []), 'DatabaseMigration'];
  }
}

/** `create-task`: `CreateTaskRole`. */
function roleName(key: string): string {
  const words = key.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `${words.join('')}Role`;
}
