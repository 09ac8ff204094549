// Proofs of who calls, across the two: a signed token of one server is good at the other and grows old on both alike, and a
// client certificate names the same user.
import { generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { credentials } from "@grpc/grpc-js"
import { afterAll, expect, it } from "vitest"
import { parseAuthToken } from "../../core/storage/auth/TokenOptions.ts"
import * as admin from "../../core/storage/rpc/AdminMessages.ts"
import * as kv from "../../core/storage/rpc/KvMessages.ts"
import { BadFlag } from "../../core/storage/server/EtcdFlags.ts"
import { describeWith } from "../Judges.ts"
import { makeAuthority } from "../net/Certificates.ts"
import { Endpoint, startEtcd, startStore, type Headers, type Running } from "./AuthPair.ts"

const directory = mkdtempSync(join(tmpdir(), "auth-tokens-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}
const raw = (text: string): Buffer => Buffer.from(text, "latin1")

/** root, and alice who may read and write what begins with "a"; then auth is on. */
const populate = async (endpoint: Endpoint): Promise<void> => {
  const add = async (name: string): Promise<void> => {
    await endpoint.unary("Auth/UserAdd", admin.AuthUserAddRequest, admin.HeaderOnly, { name, password: `${name}'s` })
  }
  const grantRole = async (user: string, role: string): Promise<void> => {
    await endpoint.unary("Auth/UserGrantRole", admin.AuthUserGrantRoleRequest, admin.HeaderOnly, { user, role })
  }
  await add("root")
  await grantRole("root", "root")
  await add("alice")
  await endpoint.unary("Auth/RoleAdd", admin.AuthNameRequest, admin.HeaderOnly, { name: "a" })
  const perm = { permType: 2, key: raw("a"), rangeEnd: raw("b") }
  await endpoint.unary("Auth/RoleGrantPermission", admin.AuthRoleGrantPermissionRequest, admin.HeaderOnly, {
    name: "a",
    perm
  })
  await grantRole("alice", "a")
  const enabled = await endpoint.unary("Auth/AuthEnable", admin.Empty, admin.HeaderOnly, {})
  expect(enabled).toHaveProperty("ok")
}

const login = async (endpoint: Endpoint, name: string): Promise<string> => {
  const fields = { name, password: `${name}'s` }
  const outcome = await endpoint.unary(
    "Auth/Authenticate",
    admin.AuthenticateRequest,
    admin.AuthenticateResponse,
    fields
  )
  expect(outcome).toHaveProperty("ok")
  return (outcome as { ok: { token: string } }).ok.token
}

/** What a caller may do, call by call, without what differs between any two servers. */
const powers = async (endpoint: Endpoint, headers: Headers): Promise<ReadonlyArray<unknown>> => {
  const outcomes = [
    await endpoint.unary("KV/Range", kv.RangeRequest, admin.Empty, { key: raw("a1") }, headers),
    await endpoint.unary("KV/Range", kv.RangeRequest, admin.Empty, { key: raw("z") }, headers),
    await endpoint.unary("KV/Put", kv.PutRequest, admin.Empty, { key: raw("a1") }, headers),
    await endpoint.unary("KV/Put", kv.PutRequest, admin.Empty, { key: raw("z") }, headers),
    await endpoint.unary("KV/Txn", kv.TxnRequest, admin.Empty, { compare: [], success: [], failure: [] }, headers),
    await endpoint.unary("Lease/LeaseLeases", kv.LeaseLeasesRequest, admin.Empty, {}, headers),
    await endpoint.unary("Auth/UserList", admin.Empty, admin.NamesResponse, {}, headers),
    await endpoint.unary("Auth/UserGet", admin.AuthNameRequest, admin.NamesResponse, { name: "alice" }, headers),
    await endpoint.unary("Auth/AuthStatus", admin.Empty, admin.AuthStatusResponse, {}, headers)
  ]
  return outcomes.map((outcome) => ("ok" in outcome ? { ...outcome.ok, header: undefined } : outcome))
}

const pem = (key: KeyObject): Buffer =>
  Buffer.from(key.export({ format: "pem", type: key.type === "public" ? "spki" : "pkcs8" }))
const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2048 })
const pairs = {
  RS256: rsa,
  RS512: rsa,
  PS384: rsa,
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ES512: () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  EdDSA: () => generateKeyPairSync("ed25519")
}

const authToken = (method: string): string => {
  if (method.startsWith("HS"))
    return `jwt,sign-method=${method},priv-key=${file(`${method}.key`, randomBytes(48))},ttl=10m`
  const { privateKey, publicKey } = pairs[method as keyof typeof pairs]()
  const paths = [file(`${method}.pub`, pem(publicKey)), file(`${method}.key`, pem(privateKey))]
  return `jwt,sign-method=${method},pub-key=${paths[0]},priv-key=${paths[1]},ttl=10m`
}

const readKey = (path: string): Buffer => readFileSync(path)

describeWith("etcd")("Tokens beside a real etcd", ({ etcd }) => {
  it.each(["HS256", ...Object.keys(pairs)])("signed by %s are good at both", async (method) => {
    const text = authToken(method)
    const token = parseAuthToken(text, 300, readKey)
    if (token instanceof BadFlag) throw token
    const running: ReadonlyArray<Running> = [
      await startEtcd(etcd, [`--auth-token=${text}`]),
      await startStore({ token, bcryptCost: 4 })
    ]
    const [theirs, ours] = running.map(({ port }) => new Endpoint(port))
    try {
      await Promise.all([populate(theirs), populate(ours)])
      const tokens = [
        await login(theirs, "alice"),
        await login(ours, "alice"),
        await login(theirs, "root"),
        await login(ours, "root")
      ]
      const compare = async (): Promise<void> => {
        for (const each of tokens) {
          const headers = { token: each }
          expect(await powers(ours, headers)).toEqual(await powers(theirs, headers))
        }
      }
      await compare()
      // A change makes every older token useless for keys, root's too.
      for (const endpoint of [theirs, ours]) {
        const [headers, name] = [{ token: tokens[2] }, "later"]
        await endpoint.unary("Auth/RoleAdd", admin.AuthNameRequest, admin.HeaderOnly, { name }, headers)
      }
      await compare()
      expect((await powers(ours, { token: tokens[0] }))[0]).toMatchObject({
        message: "etcdserver: revision of auth store is old"
      })
    } finally {
      theirs.close()
      ours.close()
      await Promise.all(running.map(({ stop }) => stop()))
    }
  })
})

describeWith("etcd")("Client certificates beside a real etcd", ({ etcd }) => {
  it("name the same users", async () => {
    const names = ["root", "alice", "stranger", "alice/CN=root", "root/CN=alice", ""]
    const authority = makeAuthority()
    const { caFile } = authority
    const { certFile, keyFile } = authority.sign("server", "server")
    const channel = (name: string) => {
      const client = authority.sign(`client-${names.indexOf(name)}`, name)
      return credentials.createSsl(readKey(caFile), readKey(client.keyFile), readKey(client.certFile))
    }
    const args = [`--cert-file=${certFile}`, `--key-file=${keyFile}`, `--trusted-ca-file=${caFile}`]
    const running: ReadonlyArray<Running> = [
      await startEtcd(etcd, [...args, "--client-cert-auth"], channel("root")),
      await startStore(
        { token: { kind: "simple", ttlSeconds: 300 }, bcryptCost: 4, clientCertAuth: true },
        { caFile, certFile, keyFile, clientAuth: true }
      )
    ]
    const open: Array<Endpoint> = []
    const connect = (name: string): [Endpoint, Endpoint] => {
      const [theirs, ours] = running.map(({ port }) => new Endpoint(port, channel(name)))
      open.push(theirs, ours)
      return [theirs, ours]
    }
    try {
      await Promise.all(connect("root").map((endpoint) => populate(endpoint)))
      for (const name of names) {
        const [theirs, ours] = connect(name)
        const tokens = [await login(theirs, "alice"), await login(ours, "alice")]
        expect(await powers(ours, {}), name).toEqual(await powers(theirs, {}))
        const gateway = { "grpcgateway-accept": "*/*" }
        expect(await powers(ours, gateway), name).toEqual(await powers(theirs, gateway))
        expect(await powers(ours, { token: tokens[1] }), name).toEqual(await powers(theirs, { token: tokens[0] }))
        expect(await powers(ours, { token: "abc.1" }), name).toEqual(await powers(theirs, { token: "abc.1" }))
      }
      expect((await powers(connect("alice")[1], {}))[0]).not.toHaveProperty("code")
    } finally {
      for (const endpoint of open) endpoint.close()
      await Promise.all(running.map(({ stop }) => stop()))
      rmSync(authority.folder, { recursive: true })
    }
  })
})
