#include "application.hpp"

int main(int argc, char** argv) {
    return tool::run(argc, argv);
}
