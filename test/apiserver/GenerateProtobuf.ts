// Writes core/apiserver/http/gen/protobuf.json (`npm run protobuf`): how the kinds of Kubernetes' own Go types look in Protocol Buffers.
// Owns the call; table.go reads the types, in the pinned modules of the real kube-apiserver, and the table holds numbers and names only.
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { moduleDirectory } from "../../kind/AssetBuild.ts"

const program = fileURLToPath(new URL("protobuf/table.go", import.meta.url))
const target = fileURLToPath(new URL("../../core/apiserver/http/gen/protobuf.json", import.meta.url))
const table = execFileSync("go", ["run", "-mod=readonly", "-tags=tools", program], {
  cwd: moduleDirectory("kubernetes"),
  env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" },
  maxBuffer: 2 ** 26
})
writeFileSync(target, table)
