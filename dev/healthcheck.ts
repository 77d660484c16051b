/** A container's HEALTHCHECK: ends with 0 when the API in it is ready, else with 1 and the reason. */
import { askReadiness } from './readiness.ts';

const { PORT, ALLOWED_HOSTS: allowedHosts = '' } = process.env;
const signal = AbortSignal.timeout(4000);
try {
  const asked = { host: '127.0.0.1', port: Number(PORT || 3500), allowedHosts, signal };
  const { status, body } = await askReadiness(asked);
  if (status !== 200) throw new Error(`${status} ${body}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
