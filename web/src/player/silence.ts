/**
 * A silent, looping media element beside the player. Web Audio alone takes no audio focus: media
 * keys and lock screens reach a page only through a media element that plays, and a phone stops a
 * page's sound when it is locked unless one does.
 */

const RATE_HZ = 8000;
/** Browsers give no media controls to sounds under five seconds. */
const LENGTH_S = 6;
const HEADER_BYTES = 44;

export interface AudioFocus {
  hold(isPlaying: boolean): void;
  close(): void;
}

export function holdAudioFocus(): AudioFocus {
  const url = URL.createObjectURL(new Blob([silentWav()], { type: "audio/wav" }));
  const element = new Audio(url);
  element.loop = true;
  return {
    hold: (isPlaying) => {
      // Refused, it costs the media keys alone.
      if (isPlaying) element.play().catch(() => undefined);
      else element.pause();
    },
    close: () => {
      element.pause();
      element.removeAttribute("src");
      URL.revokeObjectURL(url);
    },
  };
}

/** A WAV file, 8 bit, mono. */
export function silentWav(): ArrayBuffer {
  const samples = RATE_HZ * LENGTH_S;
  const data = new ArrayBuffer(HEADER_BYTES + samples);
  const fields = new DataView(data);
  const put = (at: number, text: string) => {
    for (let index = 0; index < text.length; index += 1) {
      fields.setUint8(at + index, text.charCodeAt(index));
    }
  };
  put(0, "RIFF");
  fields.setUint32(4, data.byteLength - 8, true);
  put(8, "WAVEfmt ");
  fields.setUint32(16, 16, true); // bytes of the format
  fields.setUint16(20, 1, true); // PCM
  fields.setUint16(22, 1, true); // channels
  fields.setUint32(24, RATE_HZ, true);
  fields.setUint32(28, RATE_HZ, true); // bytes per second
  fields.setUint16(32, 1, true); // bytes per frame
  fields.setUint16(34, 8, true); // bits per sample
  put(36, "data");
  fields.setUint32(40, samples, true);
  new Uint8Array(data, HEADER_BYTES).fill(128); // 8-bit samples are unsigned
  return data;
}
