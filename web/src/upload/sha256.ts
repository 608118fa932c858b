/**
 * SHA-256 (FIPS 180-4) of bytes that come piece by piece.
 *
 * The browser's own takes a file whole, into memory, and is missing on pages without a certificate.
 */

const ROUNDS = 64;
const BLOCK_BYTES = 64;
const PRIMES = primes(ROUNDS);
/** Fractional parts of the cube roots of the first 64 primes, and of the square roots of 8. */
const CONSTANTS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

export class Sha256 {
  private readonly state = Int32Array.from(START);
  private readonly schedule = new Int32Array(ROUNDS);
  private readonly rest = new Uint8Array(BLOCK_BYTES);
  private restBytes = 0;
  private bytes = 0;

  update(piece: Uint8Array): void {
    this.bytes += piece.length;
    let at = 0;
    if (this.restBytes > 0) {
      at = Math.min(BLOCK_BYTES - this.restBytes, piece.length);
      this.rest.set(piece.subarray(0, at), this.restBytes);
      this.restBytes += at;
      if (this.restBytes < BLOCK_BYTES) return;
      this.mix(this.rest, BLOCK_BYTES);
    }
    const whole = (piece.length - at) & ~(BLOCK_BYTES - 1);
    this.mix(piece.subarray(at, at + whole), whole);
    this.rest.set(piece.subarray(at + whole));
    this.restBytes = piece.length - at - whole;
  }

  /** The hash in hexadecimal; nothing can come after it. */
  hex(): string {
    const bits = this.bytes * 8;
    const padding = new Uint8Array(((119 - (this.bytes % BLOCK_BYTES)) % BLOCK_BYTES) + 9);
    padding[0] = 0x80;
    const end = new DataView(padding.buffer, padding.length - 8);
    end.setUint32(0, Math.floor(bits / 2 ** 32));
    end.setUint32(4, bits % 2 ** 32);
    this.update(padding);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Mix whole blocks in. */
  private mix(data: Uint8Array, length: number): void {
    const view = new DataView(data.buffer, data.byteOffset, length);
    for (let offset = 0; offset < length; offset += BLOCK_BYTES) this.mixBlock(view, offset);
  }

  private mixBlock(view: DataView, offset: number): void {
    const w = this.schedule;
    for (let i = 0; i < 16; i += 1) w[i] = view.getInt32(offset + 4 * i);
    for (let i = 16; i < ROUNDS; i += 1) {
      const near = w[i - 2] ?? 0;
      const far = w[i - 15] ?? 0;
      const s0 = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3);
      const s1 = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10);
      w[i] = (w[i - 16] ?? 0) + s0 + (w[i - 7] ?? 0) + s1;
    }
    const state = this.state;
    // Taking the array apart, or walking it, would take ten times as long.
    let a = state[0] ?? 0;
    let b = state[1] ?? 0;
    let c = state[2] ?? 0;
    let d = state[3] ?? 0;
    let e = state[4] ?? 0;
    let f = state[5] ?? 0;
    let g = state[6] ?? 0;
    let h = state[7] ?? 0;
    for (let i = 0; i < ROUNDS; i += 1) {
      const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
      const chosen = (e & f) ^ (~e & g);
      const first = (h + s1 + chosen + (CONSTANTS[i] ?? 0) + (w[i] ?? 0)) | 0;
      const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + s0 + majority) | 0;
    }
    add(state, 0, a);
    add(state, 1, b);
    add(state, 2, c);
    add(state, 3, d);
    add(state, 4, e);
    add(state, 5, f);
    add(state, 6, g);
    add(state, 7, h);
  }
}

function add(state: Int32Array, at: number, word: number): void {
  state[at] = (state[at] ?? 0) + word;
}

function turned(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** The first 32 bits behind the point. */
function fraction(root: number): number {
  return Math.floor((root % 1) * 2 ** 32) | 0;
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n += 1)
    if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}
