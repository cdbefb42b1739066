#include "rans.hpp"
