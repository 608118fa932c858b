// A real OpenID provider on loopback (npm `oidc-provider`), with the accounts that a test gives it.
//
//   node open_id_provider.mjs PORT      0 for a free one
//
// A line of JSON on stdin is done and answered with a line on stdout: first
// {"client": {client_id, client_secret, redirect_uris}, "accounts": {login: {sub, email, …}}}, which
// is answered with the issuer, then either of the two again to change it. It ends with its stdin.
// Its signing key is made at start. Its one page asks for the login of an account, and can be left
// by "Cancel".

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const page = createRequire(new URL("../../web/package.json", import.meta.url));
const installed = (path) => import(pathToFileURL(page.resolve(path)).href);
const { Provider, interactionPolicy } = await installed("oidc-provider");
const { createMemoryAdapter } = await installed("oidc-provider/lib/adapters/memory_adapter.js");

const HOUR_S = 3600;
const LASTS_S = {
  AccessToken: HOUR_S,
  AuthorizationCode: 60,
  Grant: HOUR_S,
  IdToken: HOUR_S,
  Interaction: HOUR_S,
  Session: HOUR_S,
};
const INTERACTION = "/interaction/";

const adapter = createMemoryAdapter();
const clients = adapter("Client");
const accounts = new Map();

const server = createServer();
server.listen(Number(process.argv[2]), "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  adapter,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  clientBasedCORS: () => false,
  conformIdTokenClaims: false, // what the scopes ask for stands in the ID token, as with Google
  cookies: { keys: [randomBytes(32).toString("hex")] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_ctx, sub) => accountOf(sub),
  interactions: { policy: policy() },
  jwks: { keys: [newKey()] },
  pkce: { required: () => true },
  renderError: (ctx, problem) => {
    ctx.type = "text";
    ctx.body = JSON.stringify(problem);
  },
  ttl: LASTS_S,
});
provider.on("server_error", (_ctx, error) => process.stderr.write(`${error.stack}\n`));
const answerOthers = provider.callback();
server.on("request", (request, response) => {
  if (request.url === "/favicon.ico") return response.writeHead(204).end();
  if (!request.url.startsWith(INTERACTION)) return answerOthers(request, response);
  answerPage(request, response).catch((error) => {
    response.writeHead(400, { "content-type": "text/plain" }).end(String(error));
  });
});

for await (const line of createInterface({ input: process.stdin })) {
  const { client, accounts: given } = JSON.parse(line);
  if (client) await clients.upsert(client.client_id, client);
  for (const [login, claims] of Object.entries(given ?? {})) accounts.set(login, claims);
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
}
process.exit();

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = randomBytes(8).toString("hex");
  return { ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig", kid };
}

/** The usual prompts, and `select_account`: the account is asked for though one is signed in. */
function policy() {
  const prompts = interactionPolicy.base();
  prompts.add(new interactionPolicy.Prompt({ name: "select_account", requestable: true }), 0);
  return prompts;
}

function accountOf(sub) {
  const claims = [...accounts.values()].find((each) => each.sub === sub);
  return claims && { accountId: sub, claims: () => claims };
}

async function answerPage(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method !== "POST") return ask(response);
  const form = new URLSearchParams(await read(request));
  if (form.has("cancel")) return finish(request, response, { error: "access_denied" });
  const account = accounts.get(form.get("account"));
  if (!account) return ask(response, "There is no such account.");
  const grant = new provider.Grant({ accountId: account.sub, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return finish(request, response, {
    login: { accountId: account.sub },
    consent: { grantId: await grant.save() },
    select_account: {},
  });
}

function finish(request, response, result) {
  const options = { mergeWithLastSubmission: false };
  return provider.interactionFinished(request, response, result, options);
}

function ask(response, problem = "") {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(`<!doctype html>
<html lang="en">
<title>Choose an account</title>
<h1>Choose an account</h1>
<p role="alert">${problem}</p>
<form method="post">
<label>Account <input name="account" autofocus></label>
<button>Continue</button>
<button name="cancel" value="yes">Cancel</button>
</form>`);
}

async function read(request) {
  let text = "";
  for await (const block of request.setEncoding("utf8")) text += block;
  return text;
}
