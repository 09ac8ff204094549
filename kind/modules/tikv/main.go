// Command tikv-testbed serves the TiKV protocol on loopback for tests: a real
// Placement Driver (the pd-server beside this program, started as a child) and one or more
// stores that speak tikvpb, made of TiDB's unistore (real transaction code in
// Go on badger) with the region manager of this file.
//
//	tikv-testbed -pd 127.0.0.1:2379 -tikv 127.0.0.1:20160 -data DIR
//
// Like a TiKV cluster: PD itself (timestamps, members, stores, regions, safe
// points, its HTTP API); the transactional RPCs, unary and BatchCommands, with
// optimistic and pessimistic locks, 1PC, async commit, lock resolving, deadlock
// detection; regions with peers, leaders and epochs that split, merge and move.
//
// Unlike one: no Raft. All stores share one engine in one process, so nothing
// is replicated, a store never lags, and a crash is a crash of all. Locks live
// in memory: SIGTERM keeps them in DIR, SIGKILL loses them, and with them what
// async commit or a 2PC's secondaries had not yet written to the engine. RawKV
// and API v2 are stubs; an empty value reads as deleted; keys must be below
// 0xff, and should all start with the same byte (a rollback of key k leaves a
// record under k with its first byte plus one). Figures say nothing of TiKV.
// Under faults only plain 2PC kept a sum over transfers by client-go; with 1PC
// or async commit it drifted by one or two, so use those without faults here.
//
// Both programs are built by `wharf assets build tikv`.
//
// Admin (-admin, HTTP): GET /regions; POST /split?key=HEX, /merge?region=ID
// (with its right neighbour), /leader?region=ID&store=ID, and
// /fault?kind=KIND&n=N for the next N requests, KIND being not_leader, epoch,
// region_not_found, store_not_match, busy, stale (region errors), or lost (the
// server carries out prewrites and commits, and the answer never arrives).
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pingcap/badger"
	"github.com/pingcap/kvproto/pkg/deadlock"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	plog "github.com/pingcap/log"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/config"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/lockstore"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/pd"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
	"github.com/pingcap/tidb/pkg/util/codec"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// region is one version of a region; a change replaces it.
type region struct {
	meta       *metapb.Region
	leader     *metapb.Peer
	start, end []byte
	diff       int64
	c          *cluster
}

func (r *region) Meta() *metapb.Region      { return r.meta }
func (r *region) Diff() *int64              { return &r.diff }
func (r *region) RawStart() []byte          { return r.start }
func (r *region) RawEnd() []byte            { return r.end }
func (r *region) AcquireLatches(h []uint64) { r.c.latches.acquire(h) }
func (r *region) ReleaseLatches(h []uint64) { r.c.latches.release(h) }

// latches serialise the writers of a key; the hashes come sorted and unique.
type latches [256]struct {
	sync.Mutex
	held map[uint64]chan struct{}
}

func (l *latches) acquire(hashes []uint64) {
	mine := make(chan struct{})
	for _, h := range hashes {
		for s := &l[h>>56]; ; {
			s.Lock()
			other, taken := s.held[h]
			if !taken {
				if s.held == nil {
					s.held = map[uint64]chan struct{}{}
				}
				s.held[h] = mine
			}
			s.Unlock()
			if !taken {
				break
			}
			<-other
		}
	}
}

func (l *latches) release(hashes []uint64) {
	var mine chan struct{}
	for _, h := range hashes {
		s := &l[h>>56]
		s.Lock()
		mine = s.held[h]
		delete(s.held, h)
		s.Unlock()
	}
	if mine != nil {
		close(mine)
	}
}

// state is what DIR/regions.json keeps.
type state struct {
	Stores  []*metapb.Store
	Regions []*metapb.Region
}

type cluster struct {
	dir     string
	pdc     pd.Client
	latches latches
	mu      sync.RWMutex
	stores  []*metapb.Store
	regions map[uint64]*region
	faults  map[string]int
	// services are set before the first request and then only read.
	services map[uint64]*tikv.Server
}

func (c *cluster) save() error {
	s := state{Stores: c.stores}
	for _, r := range c.regions {
		s.Regions = append(s.Regions, r.meta)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	name := filepath.Join(c.dir, "regions.json")
	if err := os.WriteFile(name+".tmp", data, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}

// put installs a region version; the caller holds mu or is alone.
func (c *cluster) put(meta *metapb.Region, leader *metapb.Peer) {
	r := &region{meta: meta, leader: leader, end: tikv.InternalKeyPrefix, c: c}
	if len(meta.StartKey) > 0 {
		_, r.start, _ = codec.DecodeBytes(meta.StartKey, nil)
	}
	if len(meta.EndKey) > 0 {
		_, r.end, _ = codec.DecodeBytes(meta.EndKey, nil)
	}
	c.regions[meta.Id] = r
}

func (c *cluster) report(rs ...*region) {
	for _, r := range rs {
		c.pdc.ReportRegion(&pdpb.RegionHeartbeatRequest{Region: r.meta, Leader: r.leader, Term: 6, ApproximateSize: 1, ApproximateKeys: 1})
	}
}

func (c *cluster) id() uint64 {
	id, err := c.pdc.AllocID(context.Background())
	if err != nil {
		log.Fatalf("PD gives no id: %v", err)
	}
	return id
}

// open reads the state in dir, or bootstraps a cluster of one region.
func (c *cluster) open(addrs []string) error {
	data, err := os.ReadFile(filepath.Join(c.dir, "regions.json"))
	if err == nil {
		var s state
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		if len(s.Stores) != len(addrs) {
			return fmt.Errorf("%s was made with %d stores", c.dir, len(s.Stores))
		}
		c.stores = s.Stores
		for _, m := range s.Regions {
			c.put(m, m.Peers[0])
		}
	} else {
		root := &metapb.Region{Id: c.id(), RegionEpoch: &metapb.RegionEpoch{ConfVer: uint64(len(addrs)), Version: 1}}
		for range addrs {
			s := &metapb.Store{Id: c.id(), Version: "8.1.0"}
			c.stores = append(c.stores, s)
			root.Peers = append(root.Peers, &metapb.Peer{Id: c.id(), StoreId: s.Id})
		}
		first := *root
		first.Peers = root.Peers[:1]
		first.RegionEpoch = &metapb.RegionEpoch{ConfVer: 1, Version: 1}
		c.stores[0].Address = addrs[0]
		resp, err := c.pdc.Bootstrap(context.Background(), c.stores[0], &first)
		if err == nil && resp.GetHeader().GetError() != nil {
			err = fmt.Errorf("bootstrap: %v", resp.Header.Error)
		}
		if err != nil {
			return err
		}
		c.put(root, root.Peers[0])
	}
	for i, s := range c.stores {
		s.Address, s.StatusAddress = addrs[i], ""
		if err := c.pdc.PutStore(context.Background(), s); err != nil {
			return err
		}
	}
	return c.save()
}

// heartbeats keeps PD informed until the process ends.
func (c *cluster) heartbeats() {
	for started := uint32(time.Now().Unix()); ; time.Sleep(3 * time.Second) {
		c.mu.RLock()
		var all []*region
		leaders := map[uint64]int{}
		for _, r := range c.regions {
			all = append(all, r)
			leaders[r.leader.StoreId]++
		}
		c.mu.RUnlock()
		for _, s := range c.stores {
			err := c.pdc.StoreHeartbeat(context.Background(), &pdpb.StoreStats{StoreId: s.Id, Capacity: 2 << 40, Available: 1 << 40, RegionCount: uint32(len(all)), StartTime: started})
			if err != nil {
				log.Printf("store heartbeat: %v", err)
			}
		}
		c.report(all...)
	}
}

// split cuts at raw keys. As in TiKV the old region keeps its right part, and
// all parts get the version of the old one plus the number of new ones.
func (c *cluster) split(keys ...[]byte) (out []*metapb.Region, err error) {
	slices.SortFunc(keys, bytes.Compare)
	for _, key := range slices.CompactFunc(keys, bytes.Equal) {
		ids := make([]uint64, 1+len(c.stores))
		for i := range ids {
			ids[i] = c.id()
		}
		c.mu.Lock()
		r := c.find(key)
		if r == nil || bytes.Equal(r.start, key) {
			c.mu.Unlock()
			continue
		}
		at := codec.EncodeBytes(nil, key)
		epoch := &metapb.RegionEpoch{ConfVer: r.meta.RegionEpoch.ConfVer, Version: r.meta.RegionEpoch.Version + 1}
		left := &metapb.Region{Id: ids[0], StartKey: r.meta.StartKey, EndKey: at, RegionEpoch: epoch}
		right := &metapb.Region{Id: r.meta.Id, StartKey: at, EndKey: r.meta.EndKey, RegionEpoch: epoch, Peers: r.meta.Peers}
		leader := 0
		for i, p := range r.meta.Peers {
			left.Peers = append(left.Peers, &metapb.Peer{Id: ids[1+i], StoreId: p.StoreId})
			if p.Id == r.leader.Id {
				leader = i
			}
		}
		c.put(left, left.Peers[leader])
		c.put(right, r.leader)
		l, rr := c.regions[left.Id], c.regions[right.Id]
		err = c.save()
		c.mu.Unlock()
		c.report(l, rr)
		if len(out) > 0 && out[len(out)-1].Id == right.Id {
			out = out[:len(out)-1]
		}
		out = append(out, left, right)
	}
	return out, err
}

// find returns the region of a raw key; the caller holds mu.
func (c *cluster) find(key []byte) *region {
	for _, r := range c.regions {
		if bytes.Compare(r.start, key) <= 0 && bytes.Compare(key, r.end) < 0 {
			return r
		}
	}
	return nil
}

// merge joins a region and its right neighbour, which disappears.
func (c *cluster) merge(id uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.regions[id]
	if r == nil {
		return fmt.Errorf("no region %d", id)
	}
	n := c.find(r.end)
	if n == nil {
		return fmt.Errorf("region %d is the last", id)
	}
	m := *r.meta
	m.EndKey = n.meta.EndKey
	m.RegionEpoch = &metapb.RegionEpoch{ConfVer: m.RegionEpoch.ConfVer, Version: max(m.RegionEpoch.Version, n.meta.RegionEpoch.Version) + 1}
	delete(c.regions, n.meta.Id)
	c.put(&m, r.leader)
	c.report(c.regions[id])
	return c.save()
}

func (c *cluster) lead(id, store uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.regions[id]; r != nil {
		for _, p := range r.meta.Peers {
			if p.StoreId == store {
				c.put(r.meta, p)
				c.report(c.regions[id])
				return nil
			}
		}
	}
	return fmt.Errorf("no peer of region %d on store %d", id, store)
}

// fault takes one planned fault of a kind.
func (c *cluster) fault(kind string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults[kind] > 0 {
		c.faults[kind]--
		return true
	}
	return false
}

// view is the cluster as one store sees it.
type view struct {
	*cluster
	store *metapb.Store
}

func (v *view) GetRegionFromCtx(ctx *kvrpcpb.Context) (tikv.RegionCtx, *errorpb.Error) {
	v.mu.RLock()
	r, faulty := v.regions[ctx.GetRegionId()], len(v.faults) > 0
	v.mu.RUnlock()
	is := func(kind string) bool { return faulty && v.fault(kind) }
	switch {
	case ctx.GetPeer() != nil && ctx.Peer.StoreId != v.store.Id || is("store_not_match"):
		return nil, &errorpb.Error{Message: "store not match", StoreNotMatch: &errorpb.StoreNotMatch{RequestStoreId: ctx.GetPeer().GetStoreId(), ActualStoreId: v.store.Id}}
	case r == nil || is("region_not_found"):
		return nil, &errorpb.Error{Message: "region not found", RegionNotFound: &errorpb.RegionNotFound{RegionId: ctx.GetRegionId()}}
	case is("not_leader"):
		return nil, &errorpb.Error{Message: "not leader", NotLeader: &errorpb.NotLeader{RegionId: r.meta.Id}}
	case is("busy"):
		return nil, &errorpb.Error{Message: "server is busy", ServerIsBusy: &errorpb.ServerIsBusy{Reason: "fault", BackoffMs: 5}}
	case is("stale"):
		return nil, &errorpb.Error{Message: "stale command", StaleCommand: &errorpb.StaleCommand{}}
	case r.leader.StoreId != v.store.Id && !ctx.ReplicaRead && !ctx.StaleRead:
		return nil, &errorpb.Error{Message: "not leader", NotLeader: &errorpb.NotLeader{RegionId: r.meta.Id, Leader: r.leader}}
	}
	e := r.meta.RegionEpoch
	if e.ConfVer != ctx.GetRegionEpoch().GetConfVer() || e.Version != ctx.GetRegionEpoch().GetVersion() || is("epoch") {
		return nil, &errorpb.Error{Message: "epoch not match", EpochNotMatch: &errorpb.EpochNotMatch{CurrentRegions: []*metapb.Region{r.meta}}}
	}
	return r, nil
}

func (v *view) GetStoreInfoFromCtx(*kvrpcpb.Context) (string, uint64, *errorpb.Error) {
	return v.store.Address, v.store.Id, nil
}

func (v *view) SplitRegion(req *kvrpcpb.SplitRegionRequest) *kvrpcpb.SplitRegionResponse {
	if _, e := v.GetRegionFromCtx(req.Context); e != nil {
		return &kvrpcpb.SplitRegionResponse{RegionError: e}
	}
	keys := req.SplitKeys
	if len(keys) == 0 {
		keys = [][]byte{req.SplitKey} //nolint:staticcheck // older clients
	}
	rs, err := v.split(keys...)
	if err != nil {
		return &kvrpcpb.SplitRegionResponse{RegionError: &errorpb.Error{Message: err.Error()}}
	}
	return &kvrpcpb.SplitRegionResponse{Regions: rs}
}

func (v *view) GetStoreIDByAddr(addr string) (uint64, error) {
	for _, s := range v.stores {
		if s.Address == addr {
			return s.Id, nil
		}
	}
	return 0, fmt.Errorf("no store at %s", addr)
}

func (v *view) GetStoreAddrByStoreID(id uint64) (string, error) {
	for _, s := range v.stores {
		if s.Id == id {
			return s.Address, nil
		}
	}
	return "", fmt.Errorf("no store %d", id)
}

func (v *view) Close() error { return nil }

// lossy loses the answers of prewrites and commits that the fault asks for.
func (c *cluster) lossy(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	resp, err := next(ctx, req)
	switch req.(type) {
	case *kvrpcpb.PrewriteRequest, *kvrpcpb.CommitRequest:
		if c.fault("lost") {
			return nil, status.Error(codes.Unavailable, "fault: answer lost")
		}
	}
	return resp, err
}

// batches is a BatchCommands stream. It answers the commands that unistore has
// only as unary calls, and would answer with nothing.
type batches struct {
	grpc.ServerStream
	c  *cluster
	mu sync.Mutex
}

func (s *batches) SendMsg(m any) error {
	if b, ok := m.(*tikvpb.BatchCommandsResponse); ok {
		for _, r := range b.Responses {
			if (r.GetPrewrite() != nil || r.GetCommit() != nil) && s.c.fault("lost") {
				return status.Error(codes.Unavailable, "fault: answer lost")
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ServerStream.SendMsg(m)
}

func (s *batches) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	b, ok := m.(*tikvpb.BatchCommandsRequest)
	if !ok {
		return nil
	}
	reqs, ids := b.Requests, b.RequestIds
	b.Requests, b.RequestIds = nil, nil
	for i, r := range reqs {
		if q := r.GetCheckSecondaryLocks(); q != nil {
			go s.checkSecondaries(ids[i], q)
		} else {
			b.Requests, b.RequestIds = append(b.Requests, r), append(b.RequestIds, ids[i])
		}
	}
	return nil
}

func (s *batches) checkSecondaries(id uint64, q *kvrpcpb.CheckSecondaryLocksRequest) {
	svc := s.c.services[q.GetContext().GetPeer().GetStoreId()]
	if svc == nil {
		return
	}
	if resp, err := svc.KvCheckSecondaryLocks(s.Context(), q); err == nil {
		one := &tikvpb.BatchCommandsResponse_Response{Cmd: &tikvpb.BatchCommandsResponse_Response_CheckSecondaryLocks{CheckSecondaryLocks: resp}}
		_ = s.SendMsg(&tikvpb.BatchCommandsResponse{Responses: []*tikvpb.BatchCommandsResponse_Response{one}, RequestIds: []uint64{id}})
	}
}

func (c *cluster) streams(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, &batches{ServerStream: ss, c: c})
}

func (c *cluster) admin(w http.ResponseWriter, req *http.Request) {
	num := func(name string) uint64 { n, _ := strconv.ParseUint(req.FormValue(name), 10, 64); return n }
	var err error
	switch req.URL.Path {
	case "/split":
		var key []byte
		if key, err = hex.DecodeString(req.FormValue("key")); err == nil {
			_, err = c.split(key)
		}
	case "/merge":
		err = c.merge(num("region"))
	case "/leader":
		err = c.lead(num("region"), num("store"))
	case "/fault":
		c.mu.Lock()
		c.faults[req.FormValue("kind")] = int(num("n"))
		c.mu.Unlock()
	case "/regions":
		type row struct {
			Region, Leader uint64
			Start, End     string
			Epoch          *metapb.RegionEpoch
		}
		rows := []row{}
		c.mu.RLock()
		for _, r := range c.regions {
			rows = append(rows, row{r.meta.Id, r.leader.StoreId, hex.EncodeToString(r.start), hex.EncodeToString(r.end), r.meta.RegionEpoch})
		}
		c.mu.RUnlock()
		slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Start, b.Start) })
		err = json.NewEncoder(w).Encode(rows)
	default:
		http.NotFound(w, req)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// loadLocks reads what a stop by SIGTERM left, once.
func loadLocks(dir string, locks *lockstore.MemStore) error {
	name := filepath.Join(dir, "lock_store")
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil
	}
	for len(data) >= 8 {
		k, v := int(binary.LittleEndian.Uint32(data)), int(binary.LittleEndian.Uint32(data[4:]))
		locks.Put(data[8:8+k], data[8+k:8+k+v])
		data = data[8+k+v:]
	}
	if err == nil {
		err = os.Remove(name)
	}
	return err
}

const pdConfig = `[schedule]
leader-schedule-limit = 0
region-schedule-limit = 0
replica-schedule-limit = 0
merge-schedule-limit = 0
hot-region-schedule-limit = 0
[replication]
max-replicas = %d
[pd-server]
dashboard-address = "none"
`

func startPD(bin, addr, dir string, replicas int) (*exec.Cmd, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "pd.toml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, pdConfig, replicas), 0o600); err != nil {
		return nil, err
	}
	peer := "http://" + net.JoinHostPort(host, strconv.Itoa(n+1))
	cmd := exec.Command(bin, "--name=pd", "--config="+conf, "--data-dir="+filepath.Join(dir, "pd"),
		"--client-urls=http://"+addr, "--peer-urls="+peer, "--initial-cluster=pd="+peer,
		"--log-level=warn", "--log-file="+filepath.Join(dir, "pd.log"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

// waitPD waits until PD has a leader that gives timestamps.
func waitPD(addr string) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 300 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		m, err := pdpb.NewPDClient(conn).GetMembers(ctx, &pdpb.GetMembersRequest{})
		cancel()
		if err == nil && m.GetLeader() != nil && m.GetHeader().GetError() == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("no PD leader at %s", addr)
}

func main() {
	runtime.LockOSThread() // Pdeathsig follows the thread that starts the child
	pdAddrs := flag.String("pd", "127.0.0.1:2379", "PD's address (its peer port is the next one), or several of a PD that runs already")
	addrs := flag.String("tikv", "127.0.0.1:20160", "the stores' addresses, comma separated")
	dir := flag.String("data", "", "data folder, needed")
	bin := flag.String("pd-server", "", "pd-server to start (default: the one beside this program), or none")
	admin := flag.String("admin", "", "address of the admin server, none by default")
	sync := flag.Bool("sync", true, "sync the engine's log before a commit is answered")
	flag.Parse()
	log.SetFlags(log.Ltime)
	if err := run(strings.Split(*pdAddrs, ","), strings.Split(*addrs, ","), *dir, *bin, *admin, *sync); err != nil {
		log.Fatal(err)
	}
}

func run(pds, addrs []string, dir, bin, admin string, sync bool) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if dir == "" {
		return fmt.Errorf("-data is needed")
	}
	if err := os.MkdirAll(filepath.Join(dir, "kv"), 0o700); err != nil {
		return err
	}
	logger, props, err := plog.InitLogger(&plog.Config{Level: "warn", File: plog.FileLogConfig{Filename: filepath.Join(dir, "tikv.log")}})
	if err != nil {
		return err
	}
	plog.ReplaceGlobals(logger, props)
	if bin == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		bin = filepath.Join(filepath.Dir(self), "pd-server")
	}
	if bin != "none" {
		child, err := startPD(bin, pds[0], dir, len(addrs))
		if err != nil {
			return err
		}
		defer func() {
			_ = child.Process.Signal(syscall.SIGTERM)
			_ = child.Wait()
		}()
	}
	if err := waitPD(pds[0]); err != nil {
		return err
	}
	pdc, err := pd.NewClient(pds, "tikv-testbed")
	if err != nil {
		return err
	}
	defer pdc.Close()

	conf := config.DefaultConf
	conf.Engine.DBPath, conf.Engine.SyncWrite, conf.Server.Raft = dir, sync, false
	safe := &tikv.SafePoint{}
	db, err := openDB(&conf.Engine, safe)
	if err != nil {
		return err
	}
	phys, logical, err := pdc.GetTS(context.Background())
	if err != nil {
		return err
	}
	bundle := &mvcc.DBBundle{DB: db, LockStore: lockstore.NewMemStore(8 << 20), StateTS: uint64(phys)<<18 + uint64(logical)}
	if err := loadLocks(dir, bundle.LockStore); err != nil {
		return err
	}
	c := &cluster{dir: dir, pdc: pdc, regions: map[uint64]*region{}, faults: map[string]int{}, services: map[uint64]*tikv.Server{}}
	if err := c.open(addrs); err != nil {
		return err
	}
	inner := tikv.NewStandAlongInnerServer(bundle)
	store := tikv.NewMVCCStore(&conf, bundle, dir, safe, tikv.NewDBWriter(bundle), pdc)
	store.DeadlockDetectSvr.ChangeRole(tikv.Leader)
	store.StartDeadlockDetection(false)

	var servers []*grpc.Server
	var first *tikv.Server
	for _, s := range c.stores {
		first = tikv.NewServer(&view{c, s}, store, inner)
		c.services[s.Id] = first
	}
	for i, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		svc := c.services[c.stores[i].Id]
		s := grpc.NewServer(grpc.UnaryInterceptor(c.lossy), grpc.StreamInterceptor(c.streams), grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(1<<30), grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(1<<24))
		tikvpb.RegisterTikvServer(s, svc)
		deadlock.RegisterDeadlockServer(s, svc)
		healthpb.RegisterHealthServer(s, health.NewServer()) // client-go asks it
		servers = append(servers, s)
		go func() { _ = s.Serve(l) }()
	}
	go c.heartbeats()
	if admin != "" {
		l, err := net.Listen("tcp", admin)
		if err != nil {
			return err
		}
		go func() { _ = http.Serve(l, http.HandlerFunc(c.admin)) }()
	}
	time.Sleep(200 * time.Millisecond) // the first heartbeats
	fmt.Println("READY")
	<-stop
	for _, s := range servers {
		s.Stop()
	}
	time.Sleep(200 * time.Millisecond) // requests of the other stores' batches
	first.Stop()
	return nil
}

func openDB(conf *config.Engine, safe *tikv.SafePoint) (*badger.DB, error) {
	o := badger.DefaultOptions
	o.Dir = filepath.Join(conf.DBPath, "kv")
	o.ValueDir = o.Dir
	o.ManagedTxns = true
	o.SyncWrites = conf.SyncWrite
	o.NumCompactors = conf.NumCompactors
	o.ValueThreshold = conf.ValueThreshold
	o.ValueLogFileSize = conf.VlogFileSize
	o.ValueLogMaxNumFiles = 3
	o.ValueLogWriteOptions.WriteBufferSize = 4 << 20
	o.MaxMemTableSize = conf.MaxMemTableSize
	o.TableBuilderOptions.MaxTableSize = conf.MaxTableSize
	o.NumMemtables = conf.NumMemTables
	o.NumLevelZeroTables = conf.NumL0Tables
	o.NumLevelZeroTablesStall = conf.NumL0TablesStall
	o.LevelOneSize = conf.L1Size
	o.TableBuilderOptions.SuRFStartLevel = conf.SurfStartLevel
	o.CompactL0WhenClose = conf.CompactL0WhenClose
	for i := range o.TableBuilderOptions.CompressionPerLevel {
		o.TableBuilderOptions.CompressionPerLevel[i] = config.ParseCompression(conf.Compression[i])
	}
	o.CompactionFilterFactory = safe.CreateCompactionFilter
	return badger.Open(o)
}
