import type { ZodOpenApiOperationObject } from 'zod-openapi';
import type { Scope } from '../../access/caller.ts';
import type { ROUTES } from '../routes.ts';

type Routes = typeof ROUTES;

/** What is said of some routes: of each, and of each of its methods, as the compiler checks. */
export type Operations<Path extends keyof Routes> = {
  readonly [P in Path]: {
    readonly [Method in keyof Routes[P] as Lowercase<Method & string>]: ZodOpenApiOperationObject;
  };
};

/** For those with a key that is good for it, or for everybody where no keys are asked for. */
export function needs(scope: Scope): Pick<ZodOpenApiOperationObject, 'security'> {
  return { security: [{ apiKey: [scope] }, {}] };
}
