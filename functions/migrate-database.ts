import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { readMigrations } from '../lib/db/migrate.ts';
import { migrateForDeployment } from '../lib/db/migration-step.ts';
import { logger, openDatabase } from '../lib/services.ts';

/** They lie in the zip where they lie here. */
const FOLDER = new URL('../lib/db/migrations/', import.meta.url);

/**
 * CloudFormation custom resource: migrates the database before any other function of the new release
 * is deployed. When it fails, CloudFormation rolls back, and the release before goes on.
 */
export const handler = async (event: CloudFormationCustomResourceEvent): Promise<void> => {
  try {
    if (event.RequestType !== 'Delete') {
      const running =
        event.RequestType === 'Update'
          ? Number(event.OldResourceProperties.SchemaVersion)
          : undefined;
      const sql = await openDatabase();
      const migrated = await migrateForDeployment(sql, await readMigrations(FOLDER), running);
      logger.info({ migrated }, 'migrate-database');
    }
    await answer(event, 'SUCCESS');
  } catch (error) {
    logger.error({ err: error }, 'migrate-database');
    await answer(event, 'FAILED', error instanceof Error ? error.message : String(error));
  }
};

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html */
async function answer(
  { RequestId, StackId, LogicalResourceId, ResponseURL }: CloudFormationCustomResourceEvent,
  Status: 'SUCCESS' | 'FAILED',
  Reason = '',
): Promise<void> {
  const ids = { RequestId, StackId, LogicalResourceId, PhysicalResourceId: 'database' };
  const response = await fetch(ResponseURL, {
    method: 'PUT',
    body: JSON.stringify({ ...ids, Status, Reason: Reason.slice(0, 1000) }),
  });
  if (!response.ok) throw new Error(`CloudFormation answered ${response.status}`);
}
