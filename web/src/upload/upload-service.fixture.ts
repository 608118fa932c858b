/** A small service on a real socket that takes uploads, and fails as it is told. */

import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Kept {
  readonly upload_id: string;
  readonly filename: string;
  readonly size_bytes: number;
  readonly profile_name: string;
  readonly mark: string | null;
  readonly parts: number;
  readonly content: Map<number, Buffer>;
  state: "receiving" | "complete";
  sha256: string | null;
}

/** A refusal: a status, and the code that stands in its body. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly retryAfterS?: number;
}

export class UploadService {
  /** Calls that came, as `PUT /api/uploads/1/parts/2`. */
  readonly calls: string[] = [];
  /** The ids that calls came with, by call. */
  readonly traces = new Map<string, string>();
  /** SHA-256 that a job was made of, and its profile. */
  readonly jobs: { sha256: string; profile: string }[] = [];
  readonly uploads = new Map<string, Kept>();
  /** Most calls for parts that were under way at one moment. */
  partsAtOnce = 0;
  /** Refuses a call, by `null` takes it, by `"break"` closes its connection. */
  refuse: (call: string) => Refusal | "break" | null = () => null;
  /** Holds a call back until it is resolved. */
  hold: (call: string) => Promise<void> | null = () => null;

  /** Whether parts are put to links, as they are into a bucket. */
  isBucket = false;
  /** ETags that came with the last completion. */
  etags: Record<string, string> = {};

  private readonly recordings = new Map<string, number>();
  private readonly server = createServer((request, response) => this.answer(request, response));
  private underWay = 0;

  constructor(private readonly partBytes = 1000) {}

  async start(): Promise<string> {
    await new Promise<void>((ready) => this.server.listen(0, "127.0.0.1", ready));
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  count(call: RegExp): number {
    return this.calls.filter((each) => call.test(each)).length;
  }

  /** Parts that are here of the only upload. */
  received(): Map<number, Buffer> {
    const [upload] = this.uploads.values();
    return upload?.content ?? new Map();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = `${request.method} ${request.url}`;
    this.calls.push(call);
    const trace = request.headers["x-request-id"];
    if (typeof trace === "string") this.traces.set(call, trace);
    const isPart = call.startsWith("PUT");
    if (isPart) this.underWay += 1;
    this.partsAtOnce = Math.max(this.partsAtOnce, this.underWay);
    const body = await bodyOf(request);
    await this.hold(call);
    if (isPart) this.underWay -= 1;
    const refusal = this.refuse(call);
    if (refusal === "break") return void request.socket.destroy();
    const [status, answer] = refusal ? refused(refusal) : this.take(call, body);
    const wait = refusal?.retryAfterS;
    response.writeHead(status, {
      "content-type": "application/json",
      ...(call.startsWith("PUT /bucket/") ? { etag: etagOf(body) } : {}),
      ...(wait ? { "retry-after": String(wait) } : {}),
    });
    response.end(answer === null ? "" : JSON.stringify(answer));
  }

  private take(call: string, body: Buffer): [number, unknown] {
    const [, id = "", part] =
      /\/(?:api\/uploads|bucket)\/(\w+)(?:\/parts\/(\d+))?/.exec(call) ?? [];
    if (call === "POST /api/uploads") return [200, this.begin(JSON.parse(body.toString()))];
    const [, recording] = /^POST \/api\/recordings\/(\w+)\/process$/.exec(call) ?? [];
    if (recording) return this.process(recording, JSON.parse(body.toString()));
    const upload = this.uploads.get(id);
    if (!upload) return refused({ status: 404, code: "upload_not_found" });
    if (call.startsWith("GET")) return [200, this.shown(upload)];
    if (call.endsWith("/links")) return [200, linksTo(id, JSON.parse(body.toString()))];
    if (call.startsWith("DELETE")) {
      this.uploads.delete(id);
      return [204, null];
    }
    if (part) {
      upload.content.set(Number(part), body);
      return [204, null];
    }
    this.etags = JSON.parse(body.toString() || "{}").etags ?? {};
    return this.complete(upload);
  }

  private begin(said: Kept): unknown {
    const open = [...this.uploads.values()].find(
      (each) =>
        each.state === "receiving" &&
        each.mark === said.mark &&
        each.filename === said.filename &&
        each.profile_name === said.profile_name,
    );
    if (open) return this.shown(open);
    const isHere = said.sha256 !== null && this.recordings.has(said.sha256);
    const upload: Kept = {
      ...said,
      upload_id: randomUUID().replaceAll("-", ""), // late calls of one test must not hit the next
      parts: Math.ceil(said.size_bytes / this.partBytes),
      content: new Map(),
      state: isHere ? "complete" : "receiving",
    };
    this.uploads.set(upload.upload_id, upload);
    return this.shown(upload);
  }

  private complete(upload: Kept): [number, unknown] {
    if (upload.content.size < upload.parts && upload.state !== "complete")
      return refused({ status: 409, code: "upload_incomplete" });
    const parts = [...upload.content].sort(([a], [b]) => a - b).map(([, content]) => content);
    const bytes = Buffer.concat(parts);
    upload.sha256 = createHash("sha256").update(bytes).digest("hex");
    upload.state = "complete";
    this.recordings.set(upload.sha256, bytes.length);
    return [200, this.shown(upload)];
  }

  private shown({ content, mark: _, ...upload }: Kept): unknown {
    const method = this.isBucket ? "presigned" : "direct";
    const recording_id = upload.state === "complete" ? upload.sha256 : null;
    return {
      ...upload,
      recording_id,
      method,
      received: [...content.keys()],
      part_bytes: this.partBytes,
    };
  }

  private process(sha256: string, said: { profile_name: string }): [number, unknown] {
    if (!this.recordings.has(sha256)) return refused({ status: 404, code: "recording_not_found" });
    const isNew = !this.jobs.some((job) => job.sha256 === sha256);
    if (isNew) this.jobs.push({ sha256, profile: said.profile_name });
    return [200, { job_id: sha256, output_name: "output", created: isNew }];
  }
}

function linksTo(id: string, { parts }: { parts: number[] }): unknown {
  const links = parts.map((part) => ({ part, url: `/bucket/${id}/parts/${part}` }));
  return { links, expires_s: 3600 };
}

function etagOf(content: Buffer): string {
  return `"${createHash("md5").update(content).digest("hex")}"`;
}

function refused({ status, code }: Refusal): [number, unknown] {
  return [status, { error: { code, detail: `refused with ${code}`, retryable: status >= 500 } }];
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}
