/* SPDX-License-Identifier: MIT
 * The simulated kernel: bytes and datagrams. */
#include <errno.h>
#include <string.h>

#include "found.h"
#include "sys_sim.h"

/* ---- the buffer that is lent ---- */

/* Poison is AddressSanitizer's. This file itself may be built without, so the build says whether it is there; a call
 * that is never made would make OSS-Fuzz refuse the other builds. */
#ifdef SB_FUZZ_ASAN
#include <sanitizer/asan_interface.h>
enum { CAN_POISON = 1 };
#define poison(p, n) __asan_poison_memory_region(p, n)
#define unpoison(p, n) __asan_unpoison_memory_region(p, n)
#else
enum { CAN_POISON = 0 };
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

static bool is_lent(const struct sb_sys *k, const uint8_t *p)
{
	return CAN_POISON && k->lent && p >= k->lent && p < k->lent + k->lent_n;
}

void sim_lend(struct sb_sys *k, uint8_t *p, size_t n)
{
	if (!is_lent(k, p))
		return;
	if (n > (size_t)(k->lent + k->lent_n - p))
		sb_found("kernel: a receive of %zu bytes, behind the end of the receive buffer", n);
	unpoison(k->lent, k->lent_n);
	k->is_taken_back = false;
}

void sim_lent(struct sb_sys *k, uint8_t *p, size_t n)
{
	if (is_lent(k, p))
		poison(p + n, (size_t)(k->lent + k->lent_n - p) - n);
}

void sim_take_back(struct sb_sys *k)
{
	if (!k->lent || k->is_taken_back)
		return;
	poison(k->lent, k->lent_n);
	k->is_taken_back = true;
}

/* ---- streams ---- */

/* The kernel's error is told once; then a recv finds the end, and a send nobody to read. */
static int take_err(struct sim_conn *c)
{
	int err = c->err;

	c->err = 0;
	return err;
}

static int recv_fault(struct sb_sys *k, struct sim_conn *c, const void *site)
{
	int err = c->fail_in;

	c->fail_in = 0;
	if (err == 0)
		err = sim_fault_of(k, c, SIM_CALL_RECV, site);
	if (err == 0 && c->eintr_in > 0 && c->eintr_in--)
		err = -EINTR;
	else if (err == 0 && c->again_in > 0 && c->again_in--)
		err = -EAGAIN;
	if (err)
		sim_progress(k);
	/* "Nothing yet" is only true if it comes later. */
	if (err == -EAGAIN)
		c->is_late_in = true;
	else if (err && err != -EINTR)
		c->is_spoilt = true;
	return err;
}

static long recv_now(struct sb_sys *k, struct sim_conn *c, uint8_t *p, size_t n)
{
	uint32_t some = c->here_n - c->in_n;

	if (c->is_late_in)
		return -EAGAIN;
	if (some == 0) {
		/* EPIPE is for who sends: see sim_rst(). */
		if (c->err && c->err != -EPIPE)
			return take_err(c);
		if (!c->is_fin_here && !c->is_rst)
			return -EAGAIN;
		c->is_fin_seen = true;
		sim_progress(k);
		return 0;
	}
	some = some < n ? some : (uint32_t)n;
	memcpy(p, c->sent + c->in_n, some);
	c->in_n += some;
	c->active = c->in_at = k->now;
	sim_progress(k);
	return some;
}

long sb_sys_recv(struct sb_sys *k, int fd, void *p, size_t n)
{
	struct sim_conn *c = sim_stream(k, fd, "recv");
	long r;

	if (n == 0)
		sb_found("kernel: recv of 0 bytes on descriptor %d", fd);
	if (c->is_fin_seen)
		sb_found("kernel: recv on descriptor %d behind the end of its stream", fd);
	sim_lend(k, p, n);
	if (k->on_recv)
		k->on_recv(k, c, n);
	r = recv_fault(k, c, SIM_SITE);
	if (r == 0)
		r = recv_now(k, c, p, n);
	c->recvs++;
	sim_lent(k, p, r > 0 ? (size_t)r : 0);
	if (k->on_done)
		k->on_done(k, c, SIM_CALL_RECV, n, r);
	sb_tell("  kernel: recv(%d, %zu) = %ld", fd, n, r);
	return r;
}

static int send_fault(struct sb_sys *k, struct sim_conn *c, const void *site)
{
	int err = c->fail_out;

	c->fail_out = 0;
	if (err == 0)
		err = sim_fault_of(k, c, SIM_CALL_SEND, site);
	if (err == 0 && c->eintr_out > 0 && c->eintr_out--)
		err = -EINTR;
	else if (err == 0 && c->again_out > 0 && c->again_out--)
		err = -EAGAIN;
	if (err)
		sim_progress(k);
	if (err == -EAGAIN)
		c->wants_room = c->is_late_out = true;
	else if (err && err != -EINTR)
		c->is_spoilt = true;
	return err;
}

static void keep_out(struct sim_conn *c, const struct sb_slice *iov, int iov_n, size_t n)
{
	for (int i = 0; i < iov_n && n > 0; i++) {
		size_t some = iov[i].n < n ? iov[i].n : n;

		if (c->out_n < SIM_OUT_MAX)
			memcpy(c->out + c->out_n, iov[i].p,
			       some < SIM_OUT_MAX - c->out_n ? some : (size_t)(SIM_OUT_MAX - c->out_n));
		c->out_n += some;
		n -= some;
	}
}

static long send_now(struct sb_sys *k, struct sim_conn *c, const struct sb_slice *iov, int iov_n, size_t want)
{
	size_t some = want;

	/* A unix socket keeps it for recv. */
	if (c->err && c->addr.family != SB_UNIX)
		return take_err(c);
	if (c->is_rst || c->is_shut)
		return -EPIPE;
	if (some > c->window)
		some = (size_t)c->window;
	if (c->short_out > 0 && some > c->short_out) {
		some = c->short_out;
		c->is_late_out = true;
	}
	c->short_out = 0;
	if (some < want)
		c->wants_room = true;
	if (some == 0)
		return -EAGAIN;
	keep_out(c, iov, iov_n, some);
	c->window -= some;
	c->active = c->out_at = k->now;
	sim_progress(k);
	/* Nobody is there: the first send still succeeds, and brings a reset. */
	if (c->is_gone) {
		c->is_rst = true;
		c->err = -EPIPE;
		sim_push(c);
		sim_wake(k, c->fd);
	}
	return (long)some;
}

long sb_sys_send(struct sb_sys *k, int fd, const struct sb_slice *iov, int iov_n)
{
	struct sim_conn *c = sim_stream(k, fd, "send");
	size_t want = 0;
	long r;

	for (int i = 0; i < iov_n; i++)
		want += iov[i].n;
	if (want == 0 || iov_n > 2)
		sb_found("kernel: send of %zu bytes in %d parts on descriptor %d", want, iov_n, fd);
	if (c->is_shut)
		sb_found("kernel: send on descriptor %d after its shutdown", fd);
	if (c->is_full && !c->is_rst)
		sb_found("kernel: send on descriptor %d, which was full and has not said otherwise", fd);
	if (k->on_send)
		k->on_send(k, c);
	r = send_fault(k, c, SIM_SITE);
	if (r == 0)
		r = send_now(k, c, iov, iov_n, want);
	c->is_full = r == -EAGAIN || (r >= 0 && (size_t)r < want);
	c->sends++;
	if (k->on_done)
		k->on_done(k, c, SIM_CALL_SEND, want, r);
	sb_tell("  kernel: send(%d, %zu) = %ld", fd, want, r);
	return r;
}

/* ---- datagrams ---- */

static struct sim_dgram *first_dgram(struct sb_sys *k, int fd)
{
	for (uint32_t i = 0; i < k->dgrams; i++)
		if (k->dgram[i].fd == fd)
			return &k->dgram[i];
	return NULL;
}

long sb_sys_recvfrom(struct sb_sys *k, int fd, void *p, size_t n, struct sb_addr *src, struct sb_addr *dst)
{
	struct sim_fd *f = sim_get(k, fd, "recvfrom");
	struct sim_dgram *d = first_dgram(k, fd);
	int r;

	if (f->type != SIM_DGRAM)
		sb_found("kernel: recvfrom on descriptor %d, which is for no datagrams", fd);
	if (!d)
		return -EAGAIN;
	r = sim_fault(k, SIM_CALL_RECVFROM, SIM_SITE);
	if (r < 0 && k->on_unread)
		k->on_unread(k, fd, r);
	if (r < 0)
		return r;
	k->last = *d;
	k->dgrams--;
	memmove(d, d + 1, (size_t)(&k->dgram[k->dgrams] - d) * sizeof(*d));
	d = &k->last;
	sim_lend(k, p, n);
	if (d->n)
		memcpy(p, k->conn[d->conn].sent + d->from, d->n);
	sim_lent(k, p, d->n);
	*src = d->src;
	if (dst)
		*dst = f->has_dst ? d->dst : (struct sb_addr){.family = SB_UNIX};
	k->conn[d->conn].in_n += d->n;
	k->conn[d->conn].recvs++;
	if (k->on_dgram)
		k->on_dgram(k, d);
	sim_progress(k);
	sb_tell("  kernel: recvfrom(%d) = %u bytes", fd, d->n);
	return d->extra ? (long)(n + d->extra) : (long)d->n;
}

/* Who is sent a datagram: whoever sent the last one, or at a socket whose answers may be late anybody who has. */
static struct sim_conn *receiver(struct sb_sys *k, const struct sim_fd *f, const struct sb_addr *dst)
{
	struct sim_conn *c = &k->conn[k->last.conn];

	if (!f->is_late)
		return c;
	for (uint32_t i = 0; i < k->conns; i++)
		if (k->conn[i].is_dgram && k->conn[i].listener_fd == f->fd && sb_addr_eq(&k->conn[i].addr, dst))
			return &k->conn[i];
	sb_found("kernel: sendto on descriptor %d to somebody who has sent nothing", f->fd);
}

long sb_sys_sendto(struct sb_sys *k, int fd, struct sb_slice bytes, const struct sb_addr *dst,
		   const struct sb_addr *src)
{
	const struct sim_fd *f = sim_get(k, fd, "sendto");
	struct sim_conn *c = receiver(k, f, dst);
	struct sim_dgram request = k->last;
	int r = sim_fault(k, SIM_CALL_SENDTO, SIM_SITE);
	uint8_t head[2] = {(uint8_t)(bytes.n >> 8), (uint8_t)bytes.n};
	const struct sb_slice parts[2] = {sb_slice(head, 2), bytes};

	if (f->has_dst && !f->is_late && (!src || !sb_addr_eq(src, &k->last.dst)))
		sb_found("kernel: sendto on descriptor %d from another address than it was asked at", fd);
	if (f->type != SIM_DGRAM || !dst)
		sb_found("kernel: sendto on descriptor %d without an address, or not for datagrams", fd);
	if (k->last.fd != fd && !f->is_late)
		sb_found("kernel: sendto on descriptor %d, which has received nothing", fd);
	request.conn = (uint32_t)(c - k->conn);
	k->reply_from = src ? *src : (struct sb_addr){.family = SB_UNIX};
	if (k->on_reply)
		k->on_reply(k, &request, dst, bytes, r);
	if (r < 0) {
		c->is_spoilt = true;
		return r;
	}
	k->last.replies++;
	c->sends++;
	keep_out(c, parts, 2, bytes.n + 2);
	sb_tell("  kernel: sendto(%d) = %zu bytes", fd, bytes.n);
	return (long)bytes.n;
}
