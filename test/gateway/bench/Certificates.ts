// The certificates of a benchmark in a folder, for processes that read files: one authority, a server's pair for all, a client's pair.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Pair, Pki } from "../path/Pki.ts"

export interface Certificates {
  readonly ca: string
  readonly server: Pair
  readonly client: Pair
}

export const makeCertificates = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "gateway-bench-"))
  const pki = await Pki.make("authority of a benchmark")
  const server = await pki.sign({ name: "server", dns: ["upstream", "a.example"] })
  const client = await pki.sign({ name: "alice", organizations: ["dev"] })
  const texts = { "ca.pem": pki.ca, "server.pem": server.cert, "server.key": server.key }
  for (const [name, text] of Object.entries({ ...texts, "client.pem": client.cert, "client.key": client.key })) {
    writeFileSync(join(folder, name), text)
  }
  return folder
}

export const readCertificates = (folder: string): Certificates => {
  const read = (name: string): string => readFileSync(join(folder, name), "utf8")
  return {
    ca: read("ca.pem"),
    server: { cert: read("server.pem"), key: read("server.key") },
    client: { cert: read("client.pem"), key: read("client.key") }
  }
}
