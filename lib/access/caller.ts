/** Who tasks, keys and audit entries belong to. */
export type Tenant = string & { readonly __brand: 'Tenant' };

/** `read` looks, `write` changes tasks, `admin` also sees the audit log and dead letters. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** What a request may do, and in whose name. */
export interface Principal {
  readonly tenant: Tenant;
  /** The API key that was shown; null where none is asked for. */
  readonly keyId: string | null;
  readonly scopes: readonly Scope[];
}

/** Who changes something, and from where: what the audit log keeps. */
export interface Actor {
  readonly tenant: Tenant;
  readonly keyId: string | null;
  readonly requestId: string;
  /** Null where there is no network in between, as on the command line. */
  readonly sourceIp: string | null;
}

/** Without API keys everybody is the same tenant, and may do everything. */
export const EVERYBODY: Principal = {
  tenant: 'default' as Tenant,
  keyId: null,
  scopes: SCOPES,
};
