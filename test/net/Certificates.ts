// Certificates for tests, made on the spot by openssl: an authority, and whatever it signs, as PEM files in a folder of its own.
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openssl } from "./RealPrograms.ts"

/** An authority and its folder. */
export interface Authority {
  readonly folder: string
  readonly caFile: string
  /** Signs a certificate for a common name, valid for localhost and further names; overwrites files of the same name. */
  readonly sign: (
    file: string,
    commonName: string,
    options?: { readonly names?: ReadonlyArray<string>; readonly days?: number }
  ) => { readonly certFile: string; readonly keyFile: string }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "36500"]

export const makeAuthority = (): Authority => {
  const folder = mkdtempSync(join(tmpdir(), "net-tls-"))
  const caFile = join(folder, "ca.pem")
  const caKey = join(folder, "ca.key")
  openssl(["req", "-x509", ...newKey, "-subj", "/CN=test authority", "-keyout", caKey, "-out", caFile])
  const sign: Authority["sign"] = (file, commonName, { days = 36500, names = [] } = {}) => {
    const extensions = join(folder, `${file}.cnf`)
    const known = ["DNS:localhost", "IP:127.0.0.1", ...names.map((name) => `DNS:${name}`)]
    writeFileSync(extensions, `subjectAltName=${known.join(",")}\nbasicConstraints=CA:FALSE\n`)
    const certFile = join(folder, `${file}.pem`)
    const keyFile = join(folder, `${file}.key`)
    const request = join(folder, `${file}.csr`)
    openssl(["req", ...newKey, "-subj", `/CN=${commonName}`, "-keyout", keyFile, "-out", request])
    const authority = ["-CA", caFile, "-CAkey", caKey, "-CAcreateserial", "-days", `${days}`, "-extfile", extensions]
    openssl(["x509", "-req", "-in", request, ...authority, "-out", certFile])
    return { certFile, keyFile }
  }
  return { folder, caFile, sign }
}
