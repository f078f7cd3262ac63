/**
 * A registry on this machine's loopback address for the packages of a release that no registry has yet. Package managers
 * ask it for names of our scope and find there what they would find after publishing: systems, C libraries, integrity.
 */
import { createReadStream } from "node:fs";
import { createServer, type Server } from "node:http";
import { basename } from "node:path";
import type { PackedPackage } from "./stage.ts";

export interface ScopeRegistry extends AsyncDisposable {
  /** "http://127.0.0.1:4873/" */
  readonly url: string;
}

export async function serveScope(packed: readonly PackedPackage[]): Promise<ScopeRegistry> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1);
    const asFile = packed.find(({ tarball }) => path === `tarballs/${basename(tarball)}`);
    if (asFile !== undefined) return void createReadStream(asFile.tarball).pipe(response);
    const named = packed.find(({ manifest }) => manifest.name === path);
    response.writeHead(named === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(named === undefined ? {} : document(named, urlOf(server))));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: urlOf(server),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function urlOf(server: Server): string {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
}

/** All that is known of a package, as registries answer. */
function document(
  { manifest, tarball, integrity, unpackedBytes }: PackedPackage,
  url: string,
): object {
  const dist = {
    tarball: `${url}tarballs/${basename(tarball)}`,
    integrity,
    unpackedSize: unpackedBytes,
  };
  return {
    name: manifest.name,
    "dist-tags": { latest: manifest.version },
    versions: { [manifest.version]: { ...manifest, dist } },
    // Some package managers refuse what has no date.
    time: { [manifest.version]: "2020-01-01T00:00:00.000Z" },
    modified: "2020-01-01T00:00:00.000Z",
  };
}
