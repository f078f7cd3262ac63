/** Parts of a file on the hub, by Range requests: whoever wants a header does not fetch the weights. */
import type { Bytes } from "../core/units.ts";
import type { HubConnection } from "./connection.ts";
import { FileStream } from "./file-stream.ts";
import type { HubFile } from "./hub-file.ts";

export interface RemoteFile {
  readonly file: HubFile;
  /**
   * The bytes [offset, offset + length), within the file. A server that knows no parts sends all before them too.
   * @throws HubError when they do not come
   */
  read(offset: Bytes, length: Bytes): Promise<Uint8Array>;
}

export function openRemoteFile(
  connection: HubConnection,
  file: HubFile,
  signal?: AbortSignal,
): RemoteFile {
  const stream = new FileStream(connection, file);
  return {
    file,
    read: async (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > file.size) {
        throw new RangeError(`${file.path} has ${file.size} bytes, none at ${offset} + ${length}`);
      }
      const bytes = new Uint8Array(length);
      let done = 0;
      for await (const piece of stream.read({ begin: offset, end: offset + length }, signal)) {
        bytes.set(piece, done);
        done += piece.length;
      }
      return bytes;
    },
  };
}
