import {
  type AuroraOptions,
  auroraEnvironment,
  auroraResources,
  auroraVpc,
  BEFORE_MIGRATION,
} from './aurora/aurora.ts';
import { ref } from './intrinsics.ts';
import type { Custom, FunctionDefinition } from './package-plugin.ts';
import { RIGHTS } from './roles.ts';

interface Service {
  readonly custom: Custom;
  readonly functions: Readonly<Record<string, FunctionDefinition>>;
  readonly resources?: { readonly Resources?: Readonly<Record<string, object>> };
}

/**
 * The database as `--param database` has it, and the functions that ask it where they reach it.
 * `external` is somebody else's: no resource, and no function in a network.
 * @throws Error that names the parameter
 */
export function databaseResources(stackName: string, service: Service): object {
  const { custom, functions, resources } = service;
  const { database, aurora, logRetentionDays } = custom;
  if (database === 'external') return {};
  if (database !== 'aurora') {
    throw new Error(`--param database is "${database}"; it must be external or aurora.`);
  }
  for (const [key, definition] of Object.entries(functions)) {
    const rights = RIGHTS[key] ?? [];
    if (!rights.includes('read database secret')) continue;
    definition.environment = { ...definition.environment, ...auroraEnvironment };
    // The migration tells CloudFormation how it went through a bucket of CloudFormation's.
    const writesToS3 = rights.includes('cancel commands') || key === 'migrate-database';
    definition.vpc = auroraVpc({ writesToS3 });
  }
  return {
    ...auroraResources({ stackName, logRetentionDays, ...readAurora(aurora) }),
    DatabaseMigration: afterDatabase(resources?.Resources?.DatabaseMigration ?? {}),
  };
}

/** The migration waits for the database and the way to it, and runs again for another database. */
function afterDatabase(migration: { Properties?: object }): object {
  const Properties = { ...migration.Properties, Database: ref('Database') };
  return { ...migration, DependsOn: BEFORE_MIGRATION, Properties };
}

type Settings = Omit<AuroraOptions, 'stackName' | 'logRetentionDays'>;

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html */
function readAurora(given: Custom['aurora']): Settings {
  return {
    version: read(given, 'auroraVersion', '17.7', /^\d+\.\d+$/),
    maxCapacity: readNumber(given, 'auroraMaxCapacity', 1, 256),
    instances: readNumber(given, 'auroraInstances', 1, 2),
    backupDays: readNumber(given, 'auroraBackupDays', 1, 35),
    deletionProtection:
      read(given, 'auroraDeletionProtection', 'true', /^(true|false)$/) === 'true',
  };
}

function readNumber(given: Custom['aurora'], name: string, min: number, max: number): number {
  const number = Number(given[name]);
  if (Number.isFinite(number) && number >= min && number <= max) return number;
  throw new Error(
    `--param ${name} is "${given[name]}"; it must be a number from ${min} to ${max}.`,
  );
}

function read(given: Custom['aurora'], name: string, example: string, form: RegExp): string {
  const text = String(given[name]);
  if (form.test(text)) return text;
  throw new Error(`--param ${name} is "${text}"; it must be as in ${name}=${example}.`);
}
