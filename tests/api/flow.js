// Calls the service as a page does, with nothing but fetch, FormData and Blob: two files of one
// name are sent and split one after the other, and what the service answered is printed as JSON.
//
//   node flow.js http://127.0.0.1:8080 h4n first/take.wav second/take.wav
"use strict";

const { readFile } = require("node:fs/promises");
const { basename } = require("node:path");

const POLL_EVERY_MS = 100;
const WITHIN_MS = 90_000;
const ENDS = ["complete", "error"];

const [service, profile, ...paths] = process.argv.slice(2);

async function call(path, options) {
  const response = await fetch(service + path, options);
  const body = await response.json();
  if (response.status >= 500) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
  return { status: response.status, body };
}

async function upload(path) {
  const form = new FormData();
  form.append("profile_name", profile);
  form.append("file", new Blob([await readFile(path)], { type: "audio/wav" }), basename(path));
  return call("/api/upload", { method: "POST", body: form });
}

function order(filename, outputName) {
  return call("/api/process", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ profile_name: profile, filename, output_name: outputName }),
  });
}

async function ended(jobId) {
  const seen = [];
  for (const until = Date.now() + WITHIN_MS; Date.now() < until; ) {
    const { body } = await call(`/api/jobs/${jobId}/status`);
    if (seen.at(-1)?.status !== body.status) seen.push(body);
    if (ENDS.includes(body.status)) return seen;
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
  }
  throw new Error(`job ${jobId} did not end within ${WITHIN_MS / 1000} s`);
}

async function hashOf(file) {
  const response = await fetch(new URL(file.url, service));
  const hash = await crypto.subtle.digest("SHA-256", await response.arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function split(path, outputName) {
  const uploaded = await upload(path);
  const ordered = await order(basename(path), outputName);
  if (ordered.status !== 200) throw new Error(JSON.stringify({ uploaded, ordered }));
  const statuses = await ended(ordered.body.job_id);
  const output = await call(`/api/outputs/${statuses.at(-1).output_id}`);
  const fetched = await Promise.all(output.body.files.map(hashOf));
  return { uploaded, ordered, statuses, output, fetched };
}

async function main() {
  const splits = [];
  for (const [number, path] of paths.entries()) splits.push(await split(path, `take-${number}`));
  const last = paths.length - 1;
  const again = await order(basename(paths[last]), `take-${last}`);
  const taken = await order(basename(paths[last]), "take-0");
  console.log(JSON.stringify({ splits, again, taken }));
}

main();
