// A tracing server as a process of its own, to be killed: serves a folder on a free port, which it writes to its output.
// Owns nothing but that; the test owns its life.
import { serve } from "../Served.ts"

const [, , dataDir] = process.argv
const served = await serve({ dataDir })
process.stdout.write(`${served.port}\n`)
setInterval(() => {}, 1_000_000)
