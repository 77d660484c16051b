import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const ENVIRONMENT = {
  // The SDK asks for credentials before it asks an emulator, which takes any.
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
  // Pact would tell its makers of each run.
  PACT_DO_NOT_TRACK: 'true',
};

export default defineConfig({
  test: {
    // A process for each file: a file that breaks its process or environment breaks no other.
    pool: 'forks',
    maxWorkers: Math.min(4, availableParallelism()),
    env: ENVIRONMENT,
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/deployed/**', 'test/promises/chaos.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 20_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // What is deployed to AWS: the zips under AWS's runtime client, the template under its rules.
        extends: true,
        test: {
          name: 'deployed',
          include: ['test/deployed/**/*.test.ts'],
          globalSetup: ['test/deployed/package-once.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Whole systems, one at a time and with the machine to themselves.
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/promises/chaos.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
