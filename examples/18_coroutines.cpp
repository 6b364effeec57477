// Coroutines on hawser's own loop: a service that answers, and a client with a deadline.
#include <cstdio>
#include <string>

#include <hawser/async.hpp>
#include <hawser/hawser.hpp>

namespace {

using namespace std::chrono_literals;

hawser::task<> serve(hawser::receiver& questions, hawser::sender& answers) {
    while (auto question = co_await questions.async_receive())
        (co_await answers.async_send("you said " + std::string(question->text()))).value();
    std::printf("service: nobody asks any more\n");
}

hawser::task<> ask(hawser::sender& questions, hawser::receiver& answers) {
    for (const char* word : {"ahoy", "avast"}) {
        (co_await questions.async_send(word)).value();
        const auto answer = co_await answers.async_receive(hawser::deadline::after(1h));
        std::printf("client: %.*s\n", static_cast<int>(answer.value().size()),
                    answer.value().text().data());
    }
    const auto none = co_await answers.async_receive(hawser::deadline::after(1ms));
    std::printf("client: %s\n", none.is(hawser::errc::timed_out) ? "no more answers" : "?");
    questions.close();
}

} // namespace

int main() {
    auto asked = hawser::receiver::open("shm:coroutine-questions").value();
    auto asking = hawser::sender::open("shm:coroutine-questions").value();
    auto answered = hawser::receiver::open("shm:coroutine-answers").value();
    auto answering = hawser::sender::open("shm:coroutine-answers").value();
    auto loop = hawser::event_loop::make().value();
    loop.spawn(serve(asked, answering));
    loop.spawn(ask(asking, answered));
    loop.run().value(); // until both have ended
}
