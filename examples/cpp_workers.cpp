/* SPDX-License-Identifier: MIT */
/*
 * C++: threads look for primes, and send what they find over a typed channel to the main thread,
 * which also has a ticker, and Ctrl-C as an event. Everything ends with its scope.
 *
 *     c++ -std=c++17 cpp_workers.cpp -lpollux -pthread
 */
#include <pollux.hpp>

#include <csignal>
#include <cstdio>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

enum : plx_token { FOUND, TICK, STOP };

struct found {
    int worker;
    long prime;
};

static void look(const plx::sender<found> &sender, int worker)
{
    for (long number = 100000 * worker + 1; number < 100000 * worker + 500; number += 2) {
        long divisor = 3;
        while (divisor * divisor <= number && number % divisor != 0)
            divisor += 2;
        if (divisor * divisor > number && !sender.send({worker, number}))
            return; /* nobody listens any more */
    }
}

int main()
{
    auto poller = plx::poller::open();
    plx::registry registry = poller->registry();
    auto channel = plx::open_channel<found>(registry, FOUND, 16);
    auto ticker = plx::timer::start(registry, TICK, 100ms, 100ms);
    auto signals = plx::signals::open(registry, STOP, {SIGINT, SIGTERM});
    if (!poller || !channel || !ticker || !signals) {
        std::fputs("no poller, or no room in it\n", stderr);
        return 1;
    }

    std::vector<std::thread> workers;
    for (int i = 1; i <= 3; i++)
        workers.emplace_back(look, channel->sender, i);
    channel->sender.reset(); /* the workers' references are the last */

    long total = 0;
    bool done = false;
    plx::event events[16];
    while (!done) {
        auto ready = poller->wait(events);
        if (!ready) {
            std::fprintf(stderr, "%s\n", ready.message());
            break;
        }
        for (const plx::event &event : *ready) {
            if (event.token == FOUND)
                while (channel->receiver.recv())
                    total++;
            else if (event.token == TICK)
                std::printf("%ld so far\n", total);
            done = done || event.token == STOP || event.flags & PLX_READ_CLOSED;
        }
    }
    channel->receiver.reset(); /* who still sends hears of it */
    for (std::thread &worker : workers)
        worker.join();
    std::printf("%ld primes\n", total);
}
