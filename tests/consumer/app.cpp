/* SPDX-License-Identifier: MIT */
/* app.c by the layer for C++. */
#include <pollux.hpp>

#include <cstdio>

int main()
{
    auto poller = plx::poller::open();
    if (!poller) {
        std::fprintf(stderr, "%s\n", poller.message());
        return 1;
    }

    plx::event events[1];
    const plx_token token = plx_token_pack(3, 7);
    if (!poller->registry().post(token, 42))
        return 1;
    auto found = poller->wait(events, std::chrono::seconds(10));
    return found && found->size() == 1 && events[0].token == token && events[0].data == 42 ? 0 : 1;
}
