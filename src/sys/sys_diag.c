/* SPDX-License-Identifier: MIT
 *
 * What the peer's own socket holds, asked of the kernel by NETLINK_SOCK_DIAG (sock_diag(7)): the exact pair of
 * addresses, seen from the peer's side, with the INET_DIAG_INFO extension. Apart from sys_linux.c because
 * linux/tcp.h, which knows tcpi_bytes_received, and netinet/tcp.h define the same names.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/sys.h"

enum {
	ANSWER_MAX = 4096, /* bytes of one answer; about 400 are usual */
	TCP_TIME_WAIT_STATE = 6,
};

struct ask {
	struct nlmsghdr head;
	struct inet_diag_req_v2 req;
};

int sb_sys_diag_open(struct sb_sys *sys)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	(void)sys;
	return fd < 0 ? -errno : fd;
}

static void put_address(uint32_t to[4], const struct sb_addr *from)
{
	memcpy(to, from->ip, from->family == SB_IPV4 ? 4 : 16);
}

static struct ask ask_of(const struct sb_peer_queue *q, size_t i)
{
	struct ask a = {
		.head = {.nlmsg_len = sizeof(a), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
		.req = {.sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U},
	};

	a.head.nlmsg_seq = (uint32_t)i;
	a.req.sdiag_family = q->peer.family == SB_IPV4 ? AF_INET : AF_INET6;
	a.req.idiag_ext = 1 << (INET_DIAG_INFO - 1);
	a.req.id.idiag_sport = htons(q->peer.port);
	a.req.id.idiag_dport = htons(q->local.port);
	put_address(a.req.id.idiag_src, &q->peer);
	put_address(a.req.id.idiag_dst, &q->local);
	a.req.id.idiag_if = q->peer.scope;
	a.req.id.idiag_cookie[0] = a.req.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return a;
}

/* The counter is newer than the struct of some kernels: what is not there leaves the answer unusable. */
static void read_info(struct sb_peer_queue *q, const struct rtattr *attribute)
{
	struct tcp_info info = {0};
	size_t n = RTA_PAYLOAD(attribute);

	if (n < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
		return;
	memcpy(&info, RTA_DATA(attribute), n < sizeof(info) ? n : sizeof(info));
	q->received = info.tcpi_bytes_received;
	q->err = 0;
}

static void read_socket(struct sb_peer_queue *q, const struct nlmsghdr *head)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(head);
	const struct rtattr *attribute = (const struct rtattr *)(msg + 1);
	size_t left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));

	/* An answer to an earlier question that was not taken then. */
	if (ntohs(msg->id.idiag_sport) != q->peer.port || ntohs(msg->id.idiag_dport) != q->local.port)
		return;
	q->err = -ENOTSUP;
	q->queued = msg->idiag_rqueue;
	q->uid = msg->idiag_uid;
	q->is_held = msg->idiag_inode != 0;
	if (msg->idiag_state == TCP_TIME_WAIT_STATE) {
		q->err = -ENOENT;
		return;
	}
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == INET_DIAG_INFO)
			read_info(q, attribute);
}

static void read_answer(struct sb_peer_queue *q, size_t n, const struct nlmsghdr *head)
{
	const struct nlmsgerr *error = NLMSG_DATA(head);

	if (head->nlmsg_seq >= n)
		return;
	q += head->nlmsg_seq;
	if (head->nlmsg_type == NLMSG_ERROR && head->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)))
		q->err = error->error;
	else if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		 head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
		read_socket(q, head);
}

/* The kernel has answered before send returned: what is not there will not come. */
static int read_answers(int diag, struct sb_peer_queue *q, size_t n)
{
	_Alignas(struct nlmsghdr) char room[ANSWER_MAX];

	for (size_t i = 0; i < n; i++) {
		ssize_t size = recv(diag, room, sizeof(room), MSG_TRUNC);
		const struct nlmsghdr *head = (const struct nlmsghdr *)room;

		if (size < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (size <= ANSWER_MAX && NLMSG_OK(head, (size_t)size))
			read_answer(q, n, head);
	}
	return 0;
}

int sb_sys_peer_queues(struct sb_sys *sys, int diag, struct sb_peer_queue *q, size_t n)
{
	struct ask asks[SB_PEER_BATCH] = {0};

	(void)sys;
	for (size_t i = 0; i < n; i++) {
		asks[i] = ask_of(&q[i], i);
		q[i].err = -EAGAIN;
	}
	if (send(diag, asks, n * sizeof(asks[0]), 0) < 0)
		return -errno;
	return read_answers(diag, q, n);
}
