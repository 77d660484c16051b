# One image for the API, the consumers and the migrations: they differ in their command alone.
# No `RUN --mount` and no syntax line, so that engines without BuildKit build it, too.
FROM node:24-bookworm-slim AS base
ENV NODE_ENV=production
WORKDIR /errand

FROM base AS dependencies
COPY package.json package-lock.json ./
# No install script: what needs one (Node from npm, Postgres) is for development.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --cache /tmp/npm

FROM base
COPY --from=dependencies /errand/node_modules node_modules
COPY package.json serverless.yml ./
COPY native native
COPY lib lib
COPY functions functions
COPY scripts scripts
COPY dev dev
COPY resources resources
# Where a start keeps its state; with a read-only root, a tmpfs belongs here.
RUN mkdir --mode=700 .errand && chown node:node .errand

# No name in a container but root's may be relied on by number, and orchestrators want a number.
USER 1000:1000
# Serverless looks for settings in a home that it may write to.
# Whoever collects the logs wants them in JSON.
ENV HOME=/tmp HOST=0.0.0.0 LOG_FORMAT=json
EXPOSE 3500
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "dev/healthcheck.ts"]
CMD ["node", "dev/start.ts"]
