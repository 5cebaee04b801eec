// nginx as the shared cache in front of the Worker: set up as a CDN is, so it keeps whatever the headers let it keep, and
// answers without a stated life as well.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_LIMIT_MILLIS = 10_000;

/** Why there is no cache to test with; nothing where nginx is installed. */
export const noNginx = spawnSync("nginx", ["-v"]).error ? "skipped: no nginx; hint: apt-get install nginx-light" : false;

/** A header that says what the cache did: `HIT`, `MISS`, `EXPIRED`, … */
export const CACHE_STATUS = "x-cache";

/**
 * The two caches. The second one ignores what an answer says of its own cacheability: what it mixes up is what the first
 * one would, were the headers not there.
 */
const HEADERS_IGNORED = { honest: "", deaf: "proxy_ignore_headers Cache-Control Expires X-Accel-Expires Set-Cookie Vary;" };

const configOf = (home, upstream, ports) => `
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${home}/pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${home}/body;
  proxy_temp_path ${home}/proxy;
  fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi;
  scgi_temp_path ${home}/scgi;
  keepalive_requests 1000000;
  upstream worker { server ${upstream}; keepalive 32; keepalive_requests 1000000; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_cache_key $scheme$http_host$request_uri;
  proxy_cache_methods GET HEAD;
  # Also what states no life is kept.
  proxy_cache_valid 200 301 302 404 10m;
  proxy_cache_revalidate on;
  proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
  proxy_cache_background_update on;
  # Those who ask for the same wait for the first one's answer; not for long, since nothing of ours may be theirs and each
  # further turn would come half a second later.
  proxy_cache_lock on;
  proxy_cache_lock_timeout 5ms;
  add_header ${CACHE_STATUS} $upstream_cache_status always;
${Object.entries(HEADERS_IGNORED)
  .map(
    ([name, ignored]) => `
  proxy_cache_path ${home}/${name} levels=1:2 keys_zone=${name}:10m inactive=1h;
  server {
    listen 127.0.0.1:${ports[name]};
    proxy_cache ${name};
    ${ignored}
    location / { proxy_pass http://worker; }
  }`,
  )
  .join("")}
}
`;

/**
 * Starts both caches in front of a Worker.
 *
 * @param {string} url  of the Worker
 * @returns {Promise<{ honest: string, deaf: string, stop: () => Promise<void> }>}  their addresses
 */
export async function startNginx(url) {
  const home = mkdtempSync(join(tmpdir(), "edgeloom-nginx-"));
  for (const name of Object.keys(HEADERS_IGNORED)) mkdirSync(join(home, name));
  const ports = {};
  for (const name of Object.keys(HEADERS_IGNORED)) ports[name] = await freePort();
  writeFileSync(join(home, "nginx.conf"), configOf(home, new URL(url).host, ports));
  const child = spawn("nginx", ["-p", home, "-e", "stderr", "-c", join(home, "nginx.conf")], { stdio: ["ignore", "inherit", "pipe"] });
  const gone = new Promise((done) => child.once("exit", done));
  let said = "";
  child.stderr.on("data", (piece) => (said += piece));
  for (const port of Object.values(ports)) await listening(port, child, () => said);
  return {
    honest: `http://127.0.0.1:${ports.honest}`,
    deaf: `http://127.0.0.1:${ports.deaf}`,
    async stop() {
      child.kill("SIGTERM");
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** nginx can't tell which port it got, so it is given one that was free a moment ago. */
async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function listening(port, child, said) {
  const end = Date.now() + START_LIMIT_MILLIS;
  for (;;) {
    const isOpen = await new Promise((done) => {
      const socket = connect(port, "127.0.0.1", () => (socket.destroy(), done(true)));
      socket.on("error", () => done(false));
    });
    if (isOpen) return;
    if (child.exitCode !== null || Date.now() > end) throw new Error(`nginx did not start\n${said()}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
